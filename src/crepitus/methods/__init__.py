"""One folder per paper; parts/ holds what several share."""
