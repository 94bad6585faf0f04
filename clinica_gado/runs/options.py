"""What decides a run beside the settings of each visit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinica_gado.errors import SegmentationError
from clinica_gado.evaluation.tissue import planned_sets
from clinica_gado.files import read_table, sha256_of
from clinica_gado.validation.settings import ValidationSettings

if TYPE_CHECKING:
    from clinica_gado.settings import SynthesisSettings


@dataclass(frozen=True)
class RunOptions:
    """What decides a run of either pipeline beside the settings of each visit.

    Attributes
    ----------
    segmentation, tpm : see `ValidationSettings`.
    """

    visits_tsv: Path | None = None
    input_filter: tuple[str, ...] = ()
    contrast_tsv: Path | None = None
    segmentation: str = "auto"
    tpm: Path | None = None
    n_procs: int = 1
    working_directory: Path | None = None
    caps_name: str | None = None

    def check_tables(self) -> None:
        """Read the tables that are needed at the end only, so that a wrong one is told at once."""

    def validation(self, settings: SynthesisSettings) -> ValidationSettings:
        """Return what the validation of the visits is to do, its engine found.

        Raises
        ------
        SegmentationError
            SPM was asked for by name and does not run, or a map is given for it that none reads.
        """
        if self.tpm is not None and self.segmentation in ("none", "builtin"):
            raise SegmentationError(
                f"--tpm is a map for SPM, and --segmentation {self.segmentation} does without; "
                "leave one of the two out."
            )
        wanted = ValidationSettings(settings.caps, self.segmentation, self.tpm, settings.linear)
        segmenter = wanted.segmenter()
        # By name: the processes that treat the visits need not look for it again.
        return replace(wanted, segmentation=segmenter.name if segmenter else "none")

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return the options as the provenance of a run states them, tables by their checksums."""
        return {
            "Selection": {
                "Visits": checksum(self.visits_tsv),
                "InputFilter": list(self.input_filter),
                "ContrastTsv": checksum(self.contrast_tsv),
            },
            "Validation": {"Segmentation": self.segmentation},
        }


@dataclass(frozen=True)
class RemovalRunOptions(RunOptions):
    """What decides a run of t1-gado-removal beside the settings of each visit.

    Attributes
    ----------
    pairs_tsv : real T1w without contrast that lie in other sessions.
    quality_tsv : test set of each visit.
    """

    pairs_tsv: Path | None = None
    quality_tsv: Path | None = None

    def check_tables(self) -> None:
        """Read the table of qualities.

        Raises
        ------
        SelectionError
            It cannot be read, or gives a visit several qualities.
        """
        if self.quality_tsv is not None:
            planned_sets(read_table(self.quality_tsv, ("participant_id", "quality")))

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return the options as the provenance of a run states them, tables by their checksums."""
        common = super().describe()
        return {
            "Selection": {**common["Selection"], "PairsTsv": checksum(self.pairs_tsv)},
            "Validation": {**common["Validation"], "QualityTsv": checksum(self.quality_tsv)},
        }


@dataclass(frozen=True)
class EnhancementRunOptions(RunOptions):
    """What decides a run of t1-virtual-enhance beside the settings of each visit.

    Attributes
    ----------
    assume_plain : see `InputRequest`.
    """

    assume_plain: bool = False

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return the options as the provenance of a run states them, tables by their checksums."""
        common = super().describe()
        return {
            **common,
            "Selection": {**common["Selection"], "AssumePlain": self.assume_plain},
        }


def checksum(table: Path | None) -> str | None:
    """Return the SHA-256 of a user's table; None without one."""
    return None if table is None else sha256_of(table)
