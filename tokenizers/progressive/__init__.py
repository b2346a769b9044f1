"""The progressive tokenizer ProMAG (arXiv:2501.05442): a 4× video tokenizer grown to 8× and 16× temporal compression.

No weights and no code were released; what the paper leaves open is decided here and said where it is.
"""
