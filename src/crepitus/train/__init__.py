"""Training around any method: loop, checkpoints, run records."""
