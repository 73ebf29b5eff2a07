"""Landmarks from the image: a graph that moves with the shape, and heatmap regression to compare with."""
