"""OmniTokenizer (Wang et al. 2024, arXiv:2406.09399): VQ and VAE, under the official state-dict names."""
