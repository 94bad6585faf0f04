"""The values that the papers vary; light, for the help of the command shows them."""

from __future__ import annotations

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training set of Bône 2021."""
DELTAS = (0.001, 0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3)
"""δ of Chen 2022 (Fig. 9)."""
WEIGHTS = ((1.0, 1.0), (1.0, 10.0), (1.0, 30.0), (0.1, 10.0), (0.01, 10.0))
"""λ1 = λ2 of MAE and SSIM, and λ3 of the local loss, of Chen 2022. As its text; its Fig. 8 shows
(0.1, 100) too, where the text has (0.01, 10)."""
CENTRE = (0.1, (0.1, 10.0))
"""δ and λ of Chen 2022's recipe, from which it varies one at a time."""
CRITERIA = (
    "l2_e5",
    "lesion_l2_e4",
    "enhancing_l2_e4",
    "psnr_db",
    "ssim_percent",
    "mae",
    "lesion_psnr_db",
    "enhancing_psnr_db",
)
"""Names of the scores, see `clinica_gado.studies.scoring`."""
