"""What several families of tokenizers are built from."""
