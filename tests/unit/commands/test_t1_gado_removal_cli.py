"""The command line's literal choices are those of the library it delays importing."""

from __future__ import annotations

import click

from clinica_gado.inference.averaging import FLIPS
from clinica_gado.inference.devices import PRECISIONS
from clinica_gado.pipelines.t1_gado_removal.cli import cli
from clinica_gado.pipelines.t1_gado_removal.run import read_options
from clinica_gado.preprocessing.t1_linear import ROUTES


def choices(name):
    option = next(parameter for parameter in cli.params if parameter.name == name)
    return list(option.type.choices)


def test_choices_are_those_of_the_library():
    assert choices("flips") == list(FLIPS)
    assert choices("precision") == list(PRECISIONS)
    assert choices("preprocessing") == list(ROUTES)


def test_every_option_has_a_help():
    options = [p for p in cli.params if isinstance(p, click.Option) and not p.hidden]
    assert options
    assert not [option.name for option in options if not option.help]


def test_defaults_become_settings(tmp_path):
    context = cli.make_context("run", [str(tmp_path), str(tmp_path / "caps")])
    settings, options = read_options(context.params)
    assert settings.bids == tmp_path
    assert (settings.model, settings.linear.route, settings.linear.template) == (
        None,
        "standard",
        None,
    )
    assert options.visits_tsv is None
    assert options.n_procs >= 1
