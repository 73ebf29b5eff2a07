"""Public data sets and common layouts as sources of a data set folder."""
