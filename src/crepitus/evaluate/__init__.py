"""Metrics: NumPy functions on finished records."""
