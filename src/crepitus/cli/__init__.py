"""The command line, one file per command; the only place that joins the layers."""

from crepitus.cli.app import main

__all__ = ["main"]
