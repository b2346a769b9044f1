"""Tokenizers, datasets and metrics by name, plugins included."""
