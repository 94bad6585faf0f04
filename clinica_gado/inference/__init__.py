"""One predictor: normalise, pad, run, average, invert."""
