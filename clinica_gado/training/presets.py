"""Configurations by name: this package's own, and the recipe of each paper."""

from __future__ import annotations

from dataclasses import replace

from clinica_gado.training.config import (
    DataConfig,
    FineTuningConfig,
    LossConfig,
    NetworkConfig,
    OptimisationConfig,
    TrainingConfig,
    ValidationConfig,
)

_AS_IN_PAPERS = OptimisationConfig(
    epochs=300,
    learning_rate=1e-3,
    schedule="constant",
    clip_norm=0.0,
    ema_decay=0.0,
    precision="fp32",
)
"""Adam with PyTorch's defaults, nothing else."""

BOTTANI_2022 = TrainingConfig(
    network=NetworkConfig(width=64, output_mode="image", grid="mni-128", normalisation="minmax"),
    data=DataConfig(target="real", patch_size=0, augmentation="none", enhancement_spread=1.0),
    loss=LossConfig(enhancement_weight=1.0, loss_region="everywhere"),
    optimisation=_AS_IN_PAPERS,
    validation=ValidationConfig(calibrate="no"),
)
"""L1, Adam, batch 2, 300 epochs, min-max, 128³. The paper gives no learning rate: it is PyTorch's
default for Adam."""

BONE_2022 = TrainingConfig(
    network=NetworkConfig(
        architecture="strided_residual_unet",
        width=16,
        inputs="T1w,FLAIR,ADC,T1w-lowdose",
        output_mode="image",
        grid="mni-160x192x160",
        normalisation="zscore",
    ),
    data=DataConfig(
        target="enhanced", patch_size=0, batch_size=1, augmentation="mirror", enhancement_spread=1.0
    ),
    loss=LossConfig(l1=0.0, l2=1.0, enhancement_weight=1.0, loss_region="everywhere"),
    optimisation=_AS_IN_PAPERS,
    validation=ValidationConfig(calibrate="no"),
)
"""Mean squared error, Adam at 1e-3, batch 1, 300 epochs, each axis mirrored in every second image,
z-scores clipped to the training set; in the paper five such networks, one a fold (`--folds 5`). The
paper does not give C: it is that of Bône 2021."""

BONE_2021 = replace(BONE_2022, optimisation=replace(_AS_IN_PAPERS, precision="auto"))
"""L2, Adam with default numbers, 300 epochs, mirrors, half precision (here bf16 where the device
computes in it), C = 16 and four images, their reference configuration. The paper does not give the
batch: it is that of Bône 2022."""

CHEN_2022 = TrainingConfig(
    network=NetworkConfig(
        architecture="hr_fcn",
        width=64,
        slices=3,
        inputs="T1w,T2w,ADC",
        output_mode="image",
        grid="mni-192x256x192",
        normalisation="equalised",
    ),
    data=DataConfig(
        target="enhanced",
        patch_size=0,
        batch_size=3,
        enhancing_share=0.0,
        augmentation="none",
        enhancement_spread=1.0,
    ),
    loss=LossConfig(
        l1=1.0,
        ssim=1.0,
        local=1.0,
        delta=0.1,
        local_mean="region",
        enhancement_weight=1.0,
        ssim_window="slices",
        loss_region="everywhere",
    ),
    optimisation=replace(_AS_IN_PAPERS, epochs=50, learning_rate=1e-4),
    fine_tuning=FineTuningConfig(
        fine_tuning_share=0.2,
        fine_tuning_rate=1e-5,
        fine_tuning_l1=0.1,
        fine_tuning_ssim=0.1,
        fine_tuning_local=10.0,
    ),
    validation=ValidationConfig(calibrate="no"),
)
"""MAE + SSIM + local with δ = 0.1, Adam, three slabs of three slices a batch; 40 epochs of weights
(1, 1, 1) at 1e-4, then 10 of (0.1, 0.1, 10) at 1e-5."""

PRESETS: dict[str, TrainingConfig] = {
    "change-1mm": TrainingConfig(),
    "bottani-2022-attunet": BOTTANI_2022,
    "bottani-2022-resunet": replace(
        BOTTANI_2022,
        network=replace(BOTTANI_2022.network, architecture="residual_unet", width=128),
    ),
    "bone-2021": BONE_2021,
    "chen-2022": CHEN_2022,
    "bone-2022": BONE_2022,
}
