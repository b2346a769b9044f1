"""What a paper says of a report, as pure data: the formats that set pages print it."""
