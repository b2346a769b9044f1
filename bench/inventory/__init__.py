"""What there is on this machine: lists, sizes, weights and data."""
