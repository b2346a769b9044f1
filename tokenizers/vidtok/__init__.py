"""VidTok (Tang et al. 2024, arXiv:2412.13061): every published variant, under the official state-dict names."""
