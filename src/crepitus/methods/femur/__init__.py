"""AO classes of the proximal femur with and without localisation (paper 002)."""
