"""Training from the command line: clips, networks and validation put together."""
