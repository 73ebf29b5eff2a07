"""Wrist fractures from image labels and study labels (thesis 004)."""
