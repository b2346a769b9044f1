"""Open-Sora-Plan v1.2's CausalVAE (OD-VAE, Chen et al. 2024, arXiv:2409.01199)."""
