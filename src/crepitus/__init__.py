"""Find, localize and classify bone fractures in radiographs."""

__version__ = "0.1.0"
