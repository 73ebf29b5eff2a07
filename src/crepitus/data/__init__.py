"""The data set folder: reading, checking, writing, splitting, auditing, and public data sets as sources."""

from crepitus.data.folder import DataSet
from crepitus.data.writer import DataSetWriter

__all__ = ["DataSet", "DataSetWriter"]
