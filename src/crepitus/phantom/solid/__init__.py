"""Solids by signed distances: the grid, the primitives that shape it, textures."""
