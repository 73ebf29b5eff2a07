"""The error tree: every error has a stable code, and says what was expected, what arrived, what to do."""

# CrepitusError                 exit status 2, one line for the user
# ├── UsageError                a wrong option or a wrong combination of options
# ├── DataSetError              a data set folder that breaks its format (file, row, column)
# ├── PredictionsError          a predictions folder that breaks its format
# ├── LeakageError            patients or pictures lie in two parts of a data set that is evaluated
# ├── ReadersError            a table of reader answers that breaks its format or is not complete
# ├── ConfigError               a wrong key or value in a configuration
# ├── WeightsError              weights that are missing, tampered with, or of another architecture
# ├── TrainingError             training cannot go on (for example a loss that is not finite)
# ├── MissingExtraError         an optional part of the package is not installed
# └── SetAside                  one input of many is unusable: a row in rejected.csv, exit status 3
#     ├── NotDicom              not-dicom
#     ├── Damaged               damaged
#     ├── TooLarge              too-large
#     ├── UnsupportedSyntax     unsupported-syntax
#     ├── NotRadiograph         not-radiograph
#     ├── NotAssessable         not-assessable
#     ├── UnsafeEntry           unsafe-entry
#     └── Duplicate             duplicate

from __future__ import annotations


class CrepitusError(Exception):
    """Base of all errors that a user is meant to see; `str()` of it is one line."""

    code = "error"
    exit_status = 2


class UsageError(CrepitusError):
    """A wrong option, or options that do not go together."""

    code = "usage"


class DataSetError(CrepitusError):
    """A data set folder breaks its format; the message names file, row and column."""

    code = "data-set"


class PredictionsError(CrepitusError):
    """A predictions folder breaks its format, or does not fit the data set."""

    code = "predictions"


class LeakageError(CrepitusError):
    """The data set has patients, studies or pictures in two of its splits or folds."""

    code = "leakage"


class ReadersError(CrepitusError):
    """A table of reader answers breaks its format, or answers are missing."""

    code = "readers"


class ConfigError(CrepitusError):
    """A configuration has an unknown key or an impossible value."""

    code = "config"


class WeightsError(CrepitusError):
    """Weights are missing, were changed, are not safetensors, or belong to another architecture."""

    code = "weights"


class TrainingError(CrepitusError):
    """Training cannot go on."""

    code = "training"


class MissingExtraError(CrepitusError):
    """A part of the package that is installed as an extra is missing."""

    code = "missing-extra"

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the extra '{extra}': pip install 'crepitus[{extra}]'")
        self.extra = extra


class SetAside(CrepitusError):
    """One input cannot be used; the rest of the batch goes on."""

    code = "set-aside"
    exit_status = 3


class NotDicom(SetAside):
    """The file is neither DICOM nor a supported image."""

    code = "not-dicom"


class Damaged(SetAside):
    """The file is truncated or its content contradicts itself."""

    code = "damaged"


class TooLarge(SetAside):
    """The header announces more than the limit."""

    code = "too-large"


class UnsupportedSyntax(SetAside):
    """No decoder for this transfer syntax is installed."""

    code = "unsupported-syntax"


class NotRadiograph(SetAside):
    """The object is not a projection radiograph with one grey frame."""

    code = "not-radiograph"


class NotAssessable(SetAside):
    """A radiograph on which nothing can be seen; never the same as "no fracture"."""

    code = "not-assessable"


class UnsafeEntry(SetAside):
    """A link, device or name that leads out of the folder or archive, or would block."""

    code = "unsafe-entry"


class Duplicate(SetAside):
    """An image that was already taken from another file."""

    code = "duplicate"
