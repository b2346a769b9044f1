"""How a plan is carried out: the runner, forward passes, reconstructions, provenance."""
