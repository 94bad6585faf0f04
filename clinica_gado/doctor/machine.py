"""Graphics card, processors, memory and disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clinica_gado.doctor.finding import Finding

VISIT_MEMORY_GB = 3.0
"""Peak of one visit on a processor; README states the same."""
MIN_DISK_GB = 1.0
_GB = 1e9
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED = Path("/sys/fs/cgroup/memory.current")
_MEMINFO = Path("/proc/meminfo")


def gpu() -> Finding:
    """Ask PyTorch for a CUDA card."""
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", "absent", advice="the network runs on the processors")
    cards = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return Finding("GPU", "ok", ", ".join(f"{c.name} {c.total_memory / _GB:.0f} GB" for c in cards))


def processors() -> Finding:
    """Count the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return Finding("processors", "ok", str(count))


def memory() -> Finding:
    """Say how much memory is free, within the limit of a container if there is one."""
    total, free = memory_bytes()
    if free is None:
        return Finding("memory", "ok", f"{total / _GB:.1f} GB")
    text = f"{free / _GB:.1f} GB free of {total / _GB:.1f} GB"
    if free < VISIT_MEMORY_GB * _GB:
        advice = f"a visit needs {VISIT_MEMORY_GB:g} GB: end other programs"
        return Finding("memory", "wrong", text, advice)
    return Finding("memory", "ok", text)


def memory_bytes() -> tuple[float, float | None]:
    """Return how much memory there is and how much is free (None where nothing tells)."""
    if not _MEMINFO.is_file():
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), None
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    kilobytes = (float(fields[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    total, free = (value * 1024 for value in kilobytes)
    limit = _number_in(_CGROUP_LIMIT)
    if limit is not None and limit < total:
        free = min(free, limit - (_number_in(_CGROUP_USED) or 0.0))
        total = limit
    return total, free


def _number_in(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # no such limit, or the word "max"
        return None


def disk(folder: Path) -> Finding:
    """Say how much room there is where the results will go, and whether they may."""
    here = folder.absolute()
    existing = next(path for path in (here, *here.parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    place = "this folder" if folder == Path() else str(folder)
    text = f"{free / _GB:.1f} GB free in {place}"
    if not os.access(existing, os.W_OK):
        return Finding("disk", "wrong", f"{place} cannot be written", "choose another CAPS folder")
    if free < MIN_DISK_GB * _GB:
        return Finding("disk", "wrong", text, "free some space, or choose another CAPS folder")
    return Finding("disk", "ok", text)
