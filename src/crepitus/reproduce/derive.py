"""Other answers from the same predictions, for tables that judge one model by several rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from crepitus.methods.parts.study_rules import RULES
from crepitus.predict.studies import with_study_rule

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.predict import Predictions

Derivation = Callable[["Predictions", "DataSet"], "Predictions"]


def _by_study_rule(rule: str, predictions: Predictions, data: DataSet) -> Predictions:
    """Studies judged by a rule; as they are where no image belongs to a study, and figures are undefined."""
    if data.images["study_id"].null_count() == data.images.height:
        return predictions
    return with_study_rule(predictions, data, rule)


DERIVATIONS: Mapping[str, Derivation] = {f"study-{rule}": partial(_by_study_rule, rule) for rule in RULES}
"""By the name that `Metric.derive` and `Row.derive` use: `study-majority` and the other rules for studies."""


def derived(name: str, predictions: Predictions, data: DataSet) -> Predictions:
    """The predictions after the derivation of that name; as they are for an empty name."""
    return DERIVATIONS[name](predictions, data) if name else predictions
