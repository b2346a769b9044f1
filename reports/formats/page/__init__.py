"""The page: one HTML file to explore a report in, without a network."""
