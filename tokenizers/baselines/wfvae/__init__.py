"""WF-VAE (Li et al. 2025, arXiv:2411.17459): the energy of low frequencies flows around the network in wavelets."""
