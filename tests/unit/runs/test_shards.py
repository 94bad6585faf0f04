"""Shares of the visits."""

from __future__ import annotations

import pytest

from clinica_gado.bids import Visit
from clinica_gado.errors import SelectionError
from clinica_gado.runs.shards import Shard, parse_shard


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_visit_is_in_one_share(count):
    shards = [Shard(index, count) for index in range(1, count + 1)]
    for number in range(200):
        visit = Visit(f"sub-{number:03d}", "ses-M000")
        assert sum(shard.holds(visit) for shard in shards) == 1


def test_shares_are_about_equal():
    visits = [Visit(f"sub-{number:05d}", "ses-M000") for number in range(10_000)]
    sizes = [sum(Shard(index, 4).holds(visit) for visit in visits) for index in (1, 2, 3, 4)]
    assert min(sizes) > 2300


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2"])
def test_what_is_no_share_is_told(text):
    with pytest.raises(SelectionError, match="--shard"):
        parse_shard(text)


def test_a_share_is_read():
    assert parse_shard("2/4") == Shard(2, 4)
