"""The images of a visit that a network can be given, by the names that cards and settings use."""

T1W, T2W, FLAIR, ADC = "T1w", "T2w", "FLAIR", "ADC"
T1W_LOW_DOSE, T1W_CE = "T1w-lowdose", "T1w-ce"
T1W_KINDS = (T1W, T1W_LOW_DOSE, T1W_CE)
INPUT_NAMES = (T1W, T2W, FLAIR, ADC, T1W_LOW_DOSE, T1W_CE)
"""T1w alone is the one without contrast agent; ADC is a map made of diffusion-weighted images."""
