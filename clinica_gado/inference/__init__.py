"""One predictor: normalise, pad, run, average, invert."""

from clinica_gado.inference.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
