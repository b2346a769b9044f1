"""Training tokenizers: the contract of objectives, the loop, and recipes."""
