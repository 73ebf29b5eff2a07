"""The X-ray simulator: bones, fractures, physics, scenes."""
