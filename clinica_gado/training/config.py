"""What decides a trained model: every number of a run, and its file.

The options of `clinica-gado train` take their type, default and help from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from clinica_gado.sequences import ADC, FLAIR, INPUT_NAMES, T1W, T1W_CE, T2W


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class NetworkConfig:
    """The network, its grid and its intensity scale: what the card of the bundle names."""

    architecture: Literal[
        "attention_unet", "residual_unet", "strided_residual_unet", "hr_fcn", "unet"
    ] = _setting("attention_unet", "Network.")
    width: int = _setting(16, "Maps at the highest resolution of the network.")
    levels: int = _setting(5, "Resolutions of a U-Net, where they are not fixed.")
    depth: int = _setting(3, "Convolutions a level of the plain U-Net.")
    slices: int = _setting(3, "Slices that hr_fcn and unet see at a time; 1 is 2D.")
    variant: Literal["full", "A", "B", "C", "D"] = _setting(
        "full", "hr_fcn as published, or one of its ablations Model-A to D."
    )
    norm: Literal["instance", "batch"] = _setting(
        "instance",
        "Norm of residual_unet; with `batch`, patches and whole images are on one scale.",
    )
    inputs: str = _setting(T1W_CE, "Images given, by comma, in the order of the channels.")
    output_mode: Literal["change", "image"] = _setting(
        "change", "What the network makes: a change to its input, or the image."
    )
    grid: Literal["mni-1mm", "mni-128", "mni-160x192x160", "mni-192x256x192", "mni-2mm"] = _setting(
        "mni-1mm", "Grid that the network works on."
    )
    normalisation: Literal["percentile", "minmax", "zscore", "equalised"] = _setting(
        "percentile", "Intensity scale of the images; the last two are of the brain alone."
    )


AgentIn = Literal["source", "target", "neither"]
ADDING_CONTRAST = ("enhanced", "added")
"""Targets that have the contrast agent."""
MADE = (T2W, FLAIR, ADC)
"""Targets that are another image of the visit, for networks that shall do without it."""


@dataclass(frozen=True)
class DataConfig:
    """What a batch is made of."""

    target: Literal["remapped", "real", "enhanced", "added", "T2w", "FLAIR", "ADC"] = _setting(
        "remapped",
        "What the network shall make: the input without its enhancement, in the input's own style; "
        "the real image without contrast as it is; the real one with contrast; the first input "
        "with the enhancement of that one, in the input's own style; or another image of the "
        "visit, to be synthesised where it is missing.",
    )
    patch_size: int = _setting(96, "Voxels a side of a patch; 0 for whole images.")
    batch_size: int = _setting(2, "Patches in a batch, on each device.")
    enhancing_share: float = _setting(0.5, "Share of patches drawn around enhancement.")
    simulated_share: float = _setting(
        0.4, "Share of patches from simulated heads, where there are real pairs as well."
    )
    unenhanced_share: float = _setting(
        0.15,
        "Share of simulated patches that have no agent at all, and are to stay as they are. Where "
        "contrast is removed only.",
    )
    real_unenhanced_share: float = _setting(
        0.2,
        "Share of patches of real pairs that show the image without contrast, and are to stay as "
        "they are. With the remapped target only.",
    )
    enhancement_spread: float = _setting(
        1.6,
        "Enhancement of a patch is multiplied by a factor drawn between one over this and this: "
        "dose, delay and inflow differ more than the images at hand. With the remapped "
        "target only: other pairs differ by more than the agent. 1 leaves it as it is.",
    )
    draws_per_head: int = _setting(64, "Simulated patches after which a new head is simulated.")
    heads_in_memory: int = _setting(4, "Simulated heads that patches are drawn from at a time.")
    missing_share: float = _setting(
        0.0,
        "Share of patches in which each image but the first is replaced by zeros; above 0, the "
        "network can do without them. Not where contrast is removed.",
    )
    augmentation: Literal["clinical", "mirror", "none"] = _setting(
        "clinical", "Mirroring alone, or with variations of sequence, coil, slices and noise."
    )

    @property
    def adds_contrast(self) -> bool:
        """Whether the network shall make the image with contrast agent, not the one without."""
        return self.target in ADDING_CONTRAST

    @property
    def makes_image(self) -> bool:
        """Whether the network shall make another image of the visit, in which nothing enhances."""
        return self.target in MADE

    @property
    def takes_cases(self) -> bool:
        """Whether it learns from cases of several images, not from pairs of T1w."""
        return self.adds_contrast or self.makes_image

    @property
    def agent_in(self) -> AgentIn:
        """Which image of a pair has the contrast agent."""
        if self.makes_image:
            return "neither"
        return "target" if self.adds_contrast else "source"


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, see `clinica_gado.training.losses`."""

    l1: float = _setting(1.0, "Weight of the mean absolute error.")
    l2: float = _setting(0.0, "Weight of the mean squared error.")
    ssim: float = _setting(0.0, "Weight of 1 - SSIM.")
    local: float = _setting(0.0, "Weight of the mean absolute error over enhancement (Chen 2022).")
    delta: float = _setting(0.1, "What counts as enhancement for the local loss, normalised.")
    local_mean: Literal["mask", "region"] = _setting(
        "mask", "Voxels that the local loss is averaged over: of its mask, or all that count."
    )
    enhancement_weight: float = _setting(
        4.0, "Weight of a voxel that enhances against another, in the L1 and L2 losses."
    )
    ssim_window: Literal["gaussian", "uniform", "slices"] = _setting(
        "gaussian",
        "Window of the SSIM: 3D Gaussian of sigma 1.5, uniform of 7 voxels a side, or a 2D "
        "Gaussian in each axial slice.",
    )
    loss_region: Literal["acquired", "everywhere"] = _setting(
        "acquired", "Voxels that count: where both images were acquired, or all of them."
    )


@dataclass(frozen=True)
class OptimisationConfig:
    """How the weights are fitted."""

    steps: int = _setting(3000, "Optimiser steps.")
    epochs: int = _setting(0, "Passes over the real pairs, not steps; simulated patches count too.")
    optimiser: Literal["adam", "adamw"] = _setting("adam", "Optimiser.")
    learning_rate: float = _setting(2e-3, "Highest learning rate.")
    weight_decay: float = _setting(0.0, "Decay of the weights: L2 penalty (Adam) or decoupled.")
    schedule: Literal["cosine", "constant"] = _setting(
        "cosine", "Learning rate: a linear warm-up and a cosine to zero, or constant."
    )
    warm_up: float = _setting(0.1, "Share of the steps over which the learning rate warms up.")
    accumulate: int = _setting(1, "Batches whose gradients are added up for one step.")
    clip_norm: float = _setting(1.0, "Largest norm of the gradient; 0 for no limit.")
    ema_decay: float = _setting(
        0.98, "Share of the running average of the weights kept at each step; 0 for no average."
    )
    precision: Literal["auto", "fp32", "bf16"] = _setting(
        "auto", "Precision; bf16 is mixed: weights and losses stay in fp32."
    )
    norm_statistics: Literal["batch", "running"] = _setting(
        "batch",
        "What batch norms go by: each batch, or the averages of the bundle started from, kept as "
        "they are, so that patches and whole images are treated alike.",
    )


@dataclass(frozen=True)
class FineTuningConfig:
    """A second stage of training, with weights of the losses and a rate of its own."""

    fine_tuning_share: float = _setting(
        0.0, "Share of the steps, the last ones, that fine-tune as follows; 0 for no such stage."
    )
    fine_tuning_rate: float = _setting(1e-5, "Learning rate while fine-tuning, constant.")
    fine_tuning_l1: float = _setting(0.1, "Weight of the L1 loss while fine-tuning.")
    fine_tuning_l2: float = _setting(0.0, "Weight of the L2 loss while fine-tuning.")
    fine_tuning_ssim: float = _setting(0.1, "Weight of the SSIM loss while fine-tuning.")
    fine_tuning_local: float = _setting(10.0, "Weight of the local loss while fine-tuning.")


@dataclass(frozen=True)
class ValidationConfig:
    """Which of the weights are kept."""

    validate_every: int = _setting(500, "Steps between two validations and checkpoints.")
    metric: Literal["psnr_db", "ssim", "mae"] = _setting(
        "psnr_db",
        "Measure that decides which weights are the best: in-mask, against the target, mean over "
        "the validation pairs.",
    )
    calibrate: Literal["yes", "no"] = _setting(
        "yes",
        "Whether the strength of the change is set at the end: on the whole real pairs, or, where "
        "contrast is added, on the validation cases; without any it is left as learned.",
    )


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the numbers of a run, beside its data."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimisation: OptimisationConfig = field(default_factory=OptimisationConfig)
    fine_tuning: FineTuningConfig = field(default_factory=FineTuningConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    seed: int = _setting(0, "Of the weights and of every draw.")

    def __post_init__(self) -> None:
        faults = _out_of_range(self) or _contradictions(self)
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The images given, in the order of the channels."""
        return tuple(self.network.inputs.split(","))

    @property
    def adds_contrast(self) -> bool:
        """Whether the network shall make the image with contrast agent, not the one without."""
        return self.data.adds_contrast

    @property
    def takes_cases(self) -> bool:
        """Whether the network learns from cases of several images, not from pairs of T1w."""
        return self.data.takes_cases

    @property
    def t1w_channel(self) -> int:
        """The channel that the target is compared with to find what enhances."""
        names = self.input_names
        return names.index(T1W) if self.adds_contrast and T1W in names else 0


@dataclass(frozen=True)
class Setting:
    """One number or word of a configuration; `section` is empty for those of no section."""

    section: str
    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str

    def value_in(self, config: TrainingConfig) -> Any:
        """Return what a configuration says of it."""
        return getattr(getattr(config, self.section) if self.section else config, self.name)


def settings() -> list[Setting]:
    """Return every setting of a `TrainingConfig`, in order; no two have one name."""
    found = []
    for section, kind in get_type_hints(TrainingConfig).items():
        if kind is int:
            found.append(_describe("", TrainingConfig, section))
        else:
            found += [_describe(section, kind, item.name) for item in fields(kind)]
    return found


def _describe(section: str, owner: type, name: str) -> Setting:
    annotation = get_type_hints(owner)[name]
    item = next(item for item in fields(owner) if item.name == name)
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind = str if choices else annotation
    return Setting(section, name, kind, choices, item.default, item.metadata["help"])


SLAB_ARCHITECTURES = ("hr_fcn", "unet")
RESAMPLED_GRIDS = ("mni-128", "mni-2mm")
BRAIN_RULES = ("zscore", "equalised")
_POSITIVE = (
    *("width", "levels", "depth", "slices"),
    *("batch_size", "draws_per_head", "heads_in_memory", "steps"),
    *("learning_rate", "accumulate", "enhancement_weight", "validate_every"),
)
_SHARES = (
    *("enhancing_share", "simulated_share", "unenhanced_share", "warm_up", "ema_decay"),
    *("fine_tuning_share", "missing_share", "real_unenhanced_share"),
)


def _out_of_range(config: TrainingConfig) -> list[str]:
    faults = []
    for setting in settings():
        value = _value(config, setting)
        if setting.choices and value not in setting.choices:
            faults.append(f"{setting.name} must be one of {', '.join(setting.choices)}")
        elif setting.kind is str:
            faults += [] if isinstance(value, str) else [f"{setting.name} must be a text"]
        elif not _is_number(value, setting.kind):
            faults.append(f"{setting.name} must be a number ({setting.kind.__name__})")
        elif setting.name in _POSITIVE and value <= 0:
            faults.append(f"{setting.name} must be above 0")
        elif setting.name in _SHARES and not 0 <= value <= 1:
            faults.append(f"{setting.name} must be between 0 and 1")
        elif value < 0:
            faults.append(f"{setting.name} must not be below 0")
    return faults


def _is_number(value: object, kind: type) -> bool:
    allowed = (int, float) if kind is float else (int,)
    return isinstance(value, allowed) and not isinstance(value, bool) and math.isfinite(value)


def _contradictions(config: TrainingConfig) -> list[str]:
    faults = []
    if config.data.enhancement_spread < 1:
        faults.append("enhancement_spread must not be below 1")
    network, patch_size = config.network, config.data.patch_size
    if network.grid in RESAMPLED_GRIDS and patch_size:
        faults.append(f"the grid {network.grid} takes whole images: set patch_size to 0")
    if network.architecture in SLAB_ARCHITECTURES and patch_size:
        faults.append(f"{network.architecture} learns from slabs of slices: set patch_size to 0")
    if network.normalisation in BRAIN_RULES and not config.takes_cases:
        faults.append(f"{network.normalisation} is for networks that make the enhanced image")
    if config.data.missing_share and not config.takes_cases:
        faults.append("missing_share is for networks that make the enhanced image")
    loss, tuning = config.loss, config.fine_tuning
    if not any((loss.l1, loss.l2, loss.ssim, loss.local)):
        faults.append("at least one of l1, l2, ssim and local must be above 0")
    names = ("l1", "l2", "ssim", "local")
    if tuning.fine_tuning_share and not any(getattr(tuning, f"fine_tuning_{n}") for n in names):
        faults.append("at least one of the weights while fine-tuning must be above 0")
    return [*faults, *_wrong_inputs(config)]


def _wrong_inputs(config: TrainingConfig) -> list[str]:
    names = config.input_names
    if len(set(names)) < len(names) or not set(names) <= set(INPUT_NAMES):
        return [f"inputs must name some of {', '.join(INPUT_NAMES)}, each once"]
    local = config.fine_tuning.fine_tuning_share and config.fine_tuning.fine_tuning_local
    compares = config.loss.local or config.loss.enhancement_weight != 1 or local
    if config.adds_contrast and compares and T1W not in names:
        return ["without T1w among the inputs, local must be 0 and enhancement_weight 1"]
    if config.data.target in names:
        return [f"the target {config.data.target} must not be among the inputs"]
    if config.data.makes_image and compares:
        return ["nothing enhances in the target: local must be 0 and enhancement_weight 1"]
    return []


def _value(config: TrainingConfig, setting: Setting) -> Any:
    owner = getattr(config, setting.section) if setting.section else config
    return getattr(owner, setting.name)


def with_changes(config: TrainingConfig, changes: Mapping[str, Any]) -> TrainingConfig:
    """Return a configuration with some settings, by name, given other values.

    Raises
    ------
    ValueError
        A value is out of range, or contradicts another.
    """
    content = asdict(config)
    sections = {setting.name: setting.section for setting in settings()}
    for name, value in changes.items():
        owner = content[sections[name]] if sections[name] else content
        owner[name] = value
    return config_from(content)


def config_from(content: Mapping[str, Any]) -> TrainingConfig:
    """Build a configuration from what its file holds; what is left out has its default.

    Raises
    ------
    ValueError
        A name is unknown, a value is out of range, or contradicts another.
    """
    known: dict[str, set[str]] = {}
    for setting in settings():
        known.setdefault(setting.section, set()).add(setting.name)
    unknown = sorted(set(content) - set(known) - known[""])
    sections = {name: content[name] for name in known if name and name in content}
    for name, numbers in sections.items():
        if not isinstance(numbers, Mapping):
            raise ValueError(f"{name} must be an object")
        unknown += sorted(f"{name}.{key}" for key in set(numbers) - known[name])
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    kinds = get_type_hints(TrainingConfig)
    built = {name: kinds[name](**numbers) for name, numbers in sections.items()}
    return TrainingConfig(**built, **{key: content[key] for key in known[""] if key in content})
