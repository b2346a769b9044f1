"""Open-MAGVIT2's video tokenizer (Luo et al. 2024, arXiv:2409.04410)."""
