"""Radar charts and curves."""
