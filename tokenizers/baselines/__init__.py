"""Tokenizers without learning, to compare the learned ones with."""
