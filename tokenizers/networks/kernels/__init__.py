"""Fast convolutions for CPUs, equal to the plain ones to rounding."""
