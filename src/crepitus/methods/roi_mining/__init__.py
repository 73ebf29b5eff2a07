"""Two stages from image labels: regions mined from a first network train a second (paper 003)."""
