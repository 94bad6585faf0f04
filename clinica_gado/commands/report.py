"""`clinica-gado report`: the report of a run, written anew from its tables and pictures."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
REMOVAL, ENHANCEMENT = "t1-gado-removal", "t1-virtual-enhance"


@click.command()
@click.argument("caps", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pipeline",
    type=click.Choice([REMOVAL, ENHANCEMENT]),
    default=REMOVAL,
    show_default=True,
    help="Whose results to report.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file; by default report.html in CAPS/gado_qc/PIPELINE.",
)
@click.option("--reviews", type=_FILE, help="Reviews that a report saved, to merge in.")
@click.option(
    "--quality-tsv",
    type=_FILE,
    help="Compute the comparisons anew by the test sets of its column quality; without it those of "
    f"the run stay. Of {REMOVAL} only.",
)
@click.option(
    "--exclude",
    is_flag=True,
    help="Compute the comparisons anew without the visits that --reviews rejects.",
)
@click.option(
    "--tests-in-family",
    type=click.IntRange(min=1),
    metavar="M",
    help="Compute the comparisons anew with this m in Bonferroni's correction; by default three "
    f"tissues times the test sets, and in {ENHANCEMENT} the tests of each family.",
)
@click.option(
    "--redact", is_flag=True, help="Take out paths and names of users and machines; ids stay."
)
@click.option(
    "--export",
    type=(click.Choice(["pdf", "png"]), click.Path(file_okay=False, path_type=Path)),
    metavar="pdf|png FOLDER",
    help="Also write pages to print or to send: one PDF, or a PNG a page.",
)
def cli(
    caps: Path,
    pipeline: str,
    output: Path | None,
    reviews: Path | None,
    quality_tsv: Path | None,
    exclude: bool,
    tests_in_family: int | None,
    redact: bool,
    export: tuple[str, Path] | None,
) -> None:
    """Write the quality report of the results in CAPS: one HTML file that needs no network."""
    if exclude and reviews is None:
        raise click.UsageError("--exclude needs --reviews.")
    anew = exclude or quality_tsv is not None or tests_in_family is not None
    if quality_tsv is not None and pipeline != REMOVAL:
        raise click.UsageError(f"--quality-tsv applies only to {REMOVAL}.")
    from clinica_gado.report.build import write_report

    if anew:
        _compare_anew(caps, pipeline, quality_tsv, reviews if exclude else None, tests_in_family)
    click.echo(write_report(caps, pipeline, reviews=reviews, redact=redact, output=output))
    if export is not None:
        from clinica_gado.report.pages import export_pages

        form, folder = export
        for path in export_pages(caps, pipeline, folder, form, reviews=reviews, redact=redact):
            click.echo(path)


def _compare_anew(
    caps: Path, pipeline: str, quality_tsv: Path | None, reviews: Path | None, m: int | None
) -> None:
    from clinica_gado.caps import qc_folder
    from clinica_gado.report.reviews import read_reviews, rejected_visits
    from clinica_gado.validation.tables import QUALITIES, write_enhancement_tables, write_tables

    folder = qc_folder(caps, pipeline)
    rejected = set() if reviews is None else rejected_visits(read_reviews(reviews))
    if pipeline == ENHANCEMENT:
        write_enhancement_tables(caps, folder, rejected, m)
        return
    kept = folder / QUALITIES
    qualities = quality_tsv or (kept if kept.is_file() else None)
    write_tables(caps, folder, qualities, rejected, m)
