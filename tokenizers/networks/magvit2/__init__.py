"""The blocks of MAGVIT-v2 (Yu et al. 2023, arXiv:2310.05737), which several families are built of."""
