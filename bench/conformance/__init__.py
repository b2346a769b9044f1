"""Whether adapters, metrics and models keep what they promise."""
