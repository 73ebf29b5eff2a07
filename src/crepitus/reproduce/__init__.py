"""Tables of the papers, run on a data set at hand and set beside the published figures."""
