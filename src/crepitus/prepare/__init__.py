"""Geometric preparation of images: each step exact, with the way back."""
