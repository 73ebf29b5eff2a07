"""The same commands on many machines: Ray runs the work, fsspec reaches storage behind URLs."""
