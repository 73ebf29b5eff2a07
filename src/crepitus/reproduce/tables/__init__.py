"""One file per paper's method: its tables as plain data, figures and claims as published."""
