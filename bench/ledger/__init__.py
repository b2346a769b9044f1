"""What a run leaves: records, their store in SQLite and Parquet, and merging."""
