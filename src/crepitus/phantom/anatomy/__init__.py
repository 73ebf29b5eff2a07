"""Bones and soft tissue of a person, one file per part."""
