"""From solids to pixel values: rays, path lengths, beam, detector, display."""
