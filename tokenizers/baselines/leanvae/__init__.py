"""LeanVAE (Cheng and Yuan 2025, arXiv:2503.14325): wavelets, a light network and a learned sparse bottleneck."""
