"""`clinica-gado simulate`: MRI with and without gadolinium from whole-head label maps."""

from __future__ import annotations

from pathlib import Path

import click

_T1_AND_OTHERS = ("mprage", "spgr", "t1-se", "flair", "t2w", "adc")
_LESIONS = (
    "ring",
    "solid",
    "metastases",
    "meningioma",
    "cavity",
    "non-enhancing",
    "white-matter",
    "none",
)


class _Lengths(click.ParamType):
    """Three lengths such as 1x1x5, or one for all."""

    name = "MMxMMxMM"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """Return voxel sizes in mm along right, anterior and superior."""
        try:
            lengths = [float(part) for part in str(value).split("x")]
            x, y, z = lengths * 3 if len(lengths) == 1 else lengths
        except ValueError:
            self.fail(f"{value!r} is not of the form 1x1x5.", param, ctx)
        if not all(0.4 <= length <= 10 for length in (x, y, z)):
            self.fail(f"{value!r}: voxels must be 0.4 to 10 mm.", param, ctx)
        return x, y, z


@click.command(context_settings={"show_default": True})
@click.argument("label_maps", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("bids", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--head",
    "heads",
    type=click.IntRange(1),
    multiple=True,
    help="Number of a label map, repeatable. By default all but 15 to 20, which are kept for "
    "validation and test.",
)
@click.option("--draws", type=click.IntRange(1), default=1, help="Persons on each label map.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Same seed, same bytes.")
@click.option(
    "--dose",
    "doses",
    type=click.FloatRange(0.0, 0.3),
    multiple=True,
    default=(0.0, 0.1),
    help="Gadolinium in mmol/kg of one T1w image, repeatable; 0 is without.",
)
@click.option(
    "--sequence",
    "sequences",
    type=click.Choice(_T1_AND_OTHERS),
    multiple=True,
    default=("mprage",),
    help="Repeatable; flair, t2w and adc are taken without agent.",
)
@click.option("--resolution", type=_Lengths(), default="1x1x1", help="Voxels; slices last.")
@click.option("--field", type=click.Choice(["1.5", "3.0"]), help="Tesla.  [default: drawn]")
@click.option(
    "--lesion",
    "lesions",
    type=click.Choice(_LESIONS),
    multiple=True,
    help="Of every person, repeatable.  [default: up to two of any kind]",
)
@click.option("--brain-only", is_flag=True, help="Cut away all but the brain.")
@click.option("--deface", is_flag=True, help="Cut away the face.")
@click.option("--artefacts", is_flag=True, help="Motion, ghosts, heads that moved between images.")
@click.option("--style-change", is_flag=True, help="T1w images of a person differ in sequence.")
@click.option("--device", default="cpu", metavar="auto|cpu|cuda[:N]", help="Where to simulate.")
def cli(
    label_maps: Path,
    bids: Path,
    resolution: tuple[float, float, float],
    field: str | None,
    lesions: tuple[str, ...],
    **options: object,
) -> None:
    """Simulate MRI with and without gadolinium on the heads LABEL_MAPS, as the dataset BIDS.

    LABEL_MAPS holds files head_01_dseg.nii.gz and so on, with FreeSurfer and SynthSeg labels.
    Every image has all its parameters in its sidecar; true labels are in BIDS/derivatives/truth.
    """
    from clinica_gado.inference.devices import choose_compute
    from clinica_gado.simulation.parameters import LESION_KINDS, Geometry
    from clinica_gado.simulation.planning import Realism
    from clinica_gado.simulation.protocol import SimulationRequest, write_dataset

    device = str(choose_compute(str(options.pop("device"))).device)
    flags = {"artefacts": "artefacts", "brain_only": "brain_only", "deface": "defaced"}
    realism = Realism(**{name: bool(options.pop(flag)) for flag, name in flags.items()})
    kinds = tuple(kind for kind in LESION_KINDS if kind in lesions) if lesions else None
    request = SimulationRequest(
        label_maps,
        bids,
        geometry=Geometry(resolution),
        field_strength_t=float(field) if field else None,
        lesions=kinds,
        realism=realism,
        doses_mmol_per_kg=options.pop("doses"),  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
    write_dataset(request, device)
