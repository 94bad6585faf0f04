"""BIDS datasets: entities, visits, evidence of contrast, and the choice of images."""

from clinica_gado.bids.contrast import NO_EVIDENCE, Contrast, Evidence, Source, contrast_evidence
from clinica_gado.bids.decisions import Decision, Role
from clinica_gado.bids.entities import (
    BIDS_ORDER,
    CAPS_ORDER,
    BidsName,
    BidsNameError,
    format_name,
    parse_name,
)
from clinica_gado.bids.filters import EntityFilter, parse_filter
from clinica_gado.bids.input_rules import InputRequest, parse_input_filters
from clinica_gado.bids.inputs import (
    INPUT_COLUMNS,
    InputFile,
    InputJob,
    InputSelection,
    select_inputs,
)
from clinica_gado.bids.selection import SELECTION_COLUMNS, Job, Selection, select
from clinica_gado.bids.visits import IDS, Problem, Visit, VisitFolder, VisitListing, list_visits

__all__ = [
    "BIDS_ORDER",
    "CAPS_ORDER",
    "IDS",
    "INPUT_COLUMNS",
    "NO_EVIDENCE",
    "SELECTION_COLUMNS",
    "BidsName",
    "BidsNameError",
    "Contrast",
    "Decision",
    "EntityFilter",
    "Evidence",
    "InputFile",
    "InputJob",
    "InputRequest",
    "InputSelection",
    "Job",
    "Problem",
    "Role",
    "Selection",
    "Source",
    "Visit",
    "VisitFolder",
    "VisitListing",
    "contrast_evidence",
    "format_name",
    "list_visits",
    "parse_filter",
    "parse_input_filters",
    "parse_name",
    "select",
    "select_inputs",
]
