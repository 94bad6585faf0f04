"""What a run says of its Dask."""

from __future__ import annotations

import pytest

pytest.importorskip("dask_jobqueue")

from clinica_gado.warehouse.dask_engine import dashboard_link


@pytest.mark.parametrize(
    ("listens", "shown"),
    [
        ("127.0.0.1:8787", "http://127.0.0.1:80/status"),
        (":8787", "http://node1:80/status"),
        ("0.0.0.0:8787", "http://node1:80/status"),
    ],
)
def test_the_dashboard_is_shown_where_it_listens(listens, shown):
    assert dashboard_link(listens).format(scheme="http", host="node1", port=80) == shown
