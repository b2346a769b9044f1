"""Cosmos tokenizers (NVIDIA 2025, arXiv:2501.03575), CV and DV, from the TorchScript archives they are published in."""
