"""From a trained model to a predictions folder."""

from crepitus.predict.folder import Predictions
from crepitus.predict.writer import PredictionsWriter

__all__ = ["Predictions", "PredictionsWriter"]
