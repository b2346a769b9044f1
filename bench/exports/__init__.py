"""A run's figures for other programs: tables as files, a dataset for the Hugging Face Hub, MLflow, Weights & Biases."""
