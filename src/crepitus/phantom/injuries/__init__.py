"""Fractures: the mechanism, and where and how each region breaks."""
