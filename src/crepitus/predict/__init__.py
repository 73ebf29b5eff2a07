"""From a trained model to a predictions folder."""
