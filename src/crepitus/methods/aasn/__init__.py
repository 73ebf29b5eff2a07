"""Symmetry of the pelvis: landmarks, a warp between the sides, a Siamese network (paper 000)."""
