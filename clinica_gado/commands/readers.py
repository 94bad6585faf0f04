"""`clinica-gado readers`: lesions that readers marked on kinds of image, and their grades."""

from __future__ import annotations

from pathlib import Path

import click

from clinica_gado.commands._lesion_options import enhancing_label_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(file_okay=False, path_type=Path)
_SETTINGS = {"show_default": True, "max_content_width": 100}


@click.group(context_settings=_SETTINGS)
def cli() -> None:
    """Compare kinds of image, such as routine and amplified, by what readers saw (Bône 2022)."""


@cli.command(context_settings=_SETTINGS)
@click.argument("reference", type=click.Path(exists=True, path_type=Path))
@click.argument("marks", type=_FILE)
@click.argument("output", type=_OUTPUT)
@click.option(
    "--min-size",
    "strata",
    type=float,
    multiple=True,
    default=(0.0, 5.0, 10.0),
    help="Least long axis of a row of scores, in mm; repeatable.",
)
@click.option("--max-lesions", type=int, default=20, help="Visits with more are left out.")
@enhancing_label_option()
@click.option("--min-voxels", type=int, default=1, help="Smaller parts of label maps are left out.")
def lesions(
    reference: Path,
    marks: Path,
    output: Path,
    strata: tuple[float, ...],
    max_lesions: int,
    enhancing_labels: tuple[int, ...],
    min_voxels: int,
) -> None:
    """Score the lesions of the table MARKS against REFERENCE, by size.

    MARKS has a row a lesion: participant_id, session_id, image, reader, and the ends of its long
    and its short axis in mm (long_x1 … short_z2); a visit without any has a row of n/a. REFERENCE
    is such a table without image and reader, or a folder of label maps
    sub-X/ses-Y/anat/*_dseg.nii.gz.

    Writes scores.tsv, comparisons.tsv, lesions.tsv, left_out.tsv and readers.json, which defines
    every number, into OUTPUT.
    """
    from clinica_gado.evaluation.detection import DEFINITIONS
    from clinica_gado.evaluation.lesion_axes import read_marks
    from clinica_gado.evaluation.reading import read_reference, study_detection, write_study

    found = study_detection(
        read_reference(reference, enhancing_labels, min_voxels),
        read_marks(marks),
        strata,
        max_lesions,
    )
    settings = {
        "MaxLesions": max_lesions,
        "EnhancingLabels": list(enhancing_labels),
        "MinVoxels": min_voxels,
    }
    write_study(output, found, settings, DEFINITIONS)
    columns = ["image", "reader", "min_long_axis_mm", "n_cases", "n_lesions", "se", "fdr", "ppv"]
    click.echo(found.scores[columns].to_string(index=False, float_format="%.3f"))
    if len(found.comparisons):
        click.echo(found.comparisons.to_string(index=False, float_format="%.4f"))
    if len(found.left_out):
        from clinica_gado.words import counted

        left = counted(len(found.left_out), "visit")
        click.echo(f"{left} left out of all scores: {output / 'left_out.tsv'}")


@cli.command(context_settings=_SETTINGS)
@click.argument("table", type=_FILE)
@click.argument("output", type=_OUTPUT)
@click.option("--value", default="grade", help="Column to compare, such as a grade or seconds.")
def grades(table: Path, output: Path, value: str) -> None:
    """Compare the grades, or reading times, of TABLE by paired t-tests.

    TABLE has participant_id, session_id, image, reader and the value. Writes images.tsv (kinds of
    image, by each reader and their average), readers.tsv (readers, on each kind) and readers.json.
    """
    from clinica_gado.evaluation.readers import DEFINITIONS
    from clinica_gado.evaluation.reading import read_grades, study_grades, write_study

    found = study_grades(read_grades(table, value), value)
    write_study(output, found, {"Value": value}, DEFINITIONS)
    columns = ["first", "second", "n", "mean_difference", "ci_low", "ci_high", "p"]
    for name, numbers in (("reader", found.images), ("image", found.readers)):
        if len(numbers):
            shown = numbers[[name, *columns]]
            click.echo(shown.to_string(index=False, float_format="%.4g", na_rep="n/a"))
        for row in numbers[numbers["note"].fillna("") != ""].itertuples():
            click.echo(f"{getattr(row, name)}, {row.first} and {row.second}: {row.note}")
