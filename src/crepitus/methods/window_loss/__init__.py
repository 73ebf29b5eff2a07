"""Fracture detection from point annotations with the Window Loss (paper 001)."""
