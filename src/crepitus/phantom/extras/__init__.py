"""What else is in an image: gas, metal, clothing, catheters, old fractures."""
