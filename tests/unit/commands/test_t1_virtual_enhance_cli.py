"""The command line of t1-virtual-enhance: choices of the library, defaults, contradictions."""

from __future__ import annotations

import click
import pytest

from clinica_gado.errors import SelectionError
from clinica_gado.inference.averaging import FLIPS
from clinica_gado.inference.devices import PRECISIONS
from clinica_gado.pipelines.t1_virtual_enhance.cli import cli
from clinica_gado.pipelines.t1_virtual_enhance.options import read_options
from clinica_gado.preprocessing.t1_linear import ROUTES
from clinica_gado.validation.settings import ENGINES


def choices(name):
    option = next(parameter for parameter in cli.params if parameter.name == name)
    return list(option.type.choices)


def read(tmp_path, *arguments):
    context = cli.make_context("run", [str(tmp_path), str(tmp_path / "caps"), *arguments])
    return read_options(context.params)


def test_choices_are_those_of_the_library():
    assert choices("flips") == list(FLIPS)
    assert choices("precision") == list(PRECISIONS)
    assert choices("preprocessing") == list(ROUTES)
    assert choices("segmentation") == list(ENGINES)


def test_every_option_has_a_help():
    options = [p for p in cli.params if isinstance(p, click.Option) and not p.hidden]
    assert options
    assert not [option.name for option in options if not option.help]


def test_defaults_become_settings(tmp_path):
    settings, options = read(tmp_path)
    assert settings.bids == tmp_path
    assert (settings.model, settings.flips) == (None, "all")
    assert (settings.amplify, settings.repeat) == (False, 1)
    assert (options.segmentation, options.assume_plain) == ("auto", False)


def test_outputs_and_masks_asked_for_become_settings(tmp_path):
    plain, _ = read(tmp_path)
    assert (plain.native_space, plain.healthy) == (False, None)
    asked, _ = read(tmp_path, "--native-space", "--healthy", str(tmp_path))
    assert (asked.native_space, asked.healthy) == (True, tmp_path)


def test_repeating_needs_amplifying(tmp_path):
    settings, _ = read(tmp_path, "--amplify", "--repeat", "3")
    assert (settings.amplify, settings.repeat) == (True, 3)
    with pytest.raises(SelectionError, match="--amplify"):
        read(tmp_path, "--repeat", "2")


def test_a_table_of_lesions_that_cannot_be_used_ends_the_run(tmp_path):
    table = tmp_path / "axes.tsv"
    table.write_text("participant_id\tsession_id\nsub-01\tses-1\n")
    with pytest.raises(SelectionError, match="no column long_x1"):
        read(tmp_path, "--lesions", str(table))
    labels = tmp_path / "lesions"
    labels.mkdir()
    assert read(tmp_path, "--lesions", str(labels))[0].lesions == labels
