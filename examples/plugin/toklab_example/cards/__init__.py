"""Data: cards of this package's tokenizers."""
