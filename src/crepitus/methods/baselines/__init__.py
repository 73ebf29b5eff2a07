"""Methods that the papers compare with: classifiers with heatmaps, and box detectors on points."""
