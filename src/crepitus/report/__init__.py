"""The HTML report: tables, plots, gallery."""
