"""Which places of an image speak for an answer and which against it, and how faithful such maps are."""
