"""What thousands of visits cost the report: size, writing, opening, sorting and filtering.

`python benchmarks/report.py` writes the report of an invented run and opens it in headless Chromium
beside its plain version, which holds every card and every picture from the start. Each figure is
the median of several openings; the two alternate, so that they see the same machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinica_gado.caps import qc_folder
from clinica_gado.evaluation.agreement import agreement
from clinica_gado.evaluation.statistics import test_differences
from clinica_gado.evaluation.tissue import volume_differences
from clinica_gado.files import write_tsv
from clinica_gado.preprocessing.templates import template_brain
from clinica_gado.report.build import write_report
from clinica_gado.report.planes import layout_of, save_planes
from clinica_gado.segmentation.segmenter import TissueMaps

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PIPELINE = "t1-gado-removal"
N_PICTURES = 12
"""Distinct pictures; the visits take them in turn, each its own copy in the report."""
CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SORT = "document.querySelectorAll('#table thead button')[2].click()"
FIND = (
    "const find = document.getElementById('find'); find.value = 'sub-0123'; "
    "find.dispatchEvent(new Event('input'))"
)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=2000, help="[2000]")
    parser.add_argument("--openings", type=int, default=3, help="per version [3]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        caps = Path(folder, "caps")
        invent_run(caps, options.visits)
        begin = time.perf_counter()
        report = write_report(caps, PIPELINE)
        print(f"{options.visits} visits, report written in {time.perf_counter() - begin:.1f} s")
        plain = write_plain(report, report.with_name("plain.html"), options.visits)
        for name, path in (("report", report), ("plain", plain)):
            print(f"{name:8}{path.stat().st_size / 1e6:8.1f} MB")
        if shutil.which("chromedriver") is None:
            print("Not opened: chromedriver, which comes with Chromium, is not installed.")
            return
        compare(report, plain, options.openings)


def invent_run(caps: Path, n_visits: int) -> None:
    """Write the tables and pictures of a run."""
    generator = np.random.default_rng(1)
    folder = qc_folder(caps, PIPELINE)
    names = [f"sub-{number:04d}" for number in range(n_visits)]
    ids = pd.DataFrame({"participant_id": names, "session_id": "ses-M000"})
    flags = np.where(generator.uniform(size=n_visits) < 0.05, "rotation 34 degrees, over 30", None)
    files = ids["participant_id"] + "_ses-M000_ce-gadolinium_T1w.nii.gz"
    write_tsv(folder / "images.tsv", ids.assign(filename=files, status="done", flags=flags))
    write_tsv(folder / "selection.tsv", invent_selection(ids))
    volumes = invent_volumes(ids, generator)
    differences = volume_differences(volumes)
    write_tsv(folder / "volumes.tsv", volumes)
    write_tsv(folder / "differences.tsv", differences.round(3))
    write_tsv(folder / "agreement.tsv", agreement(differences))
    write_tsv(folder / "tests.tsv", test_differences(differences))
    invent_pictures(folder / "figures", names, generator)


def invent_selection(ids: pd.DataFrame) -> pd.DataFrame:
    """Return two T1w a visit, one with contrast and one without."""
    rows = []
    for role, contrast, entity in (("source", "ce", "_ce-gadolinium"), ("reference", "nce", "")):
        files = ids["participant_id"] + f"_ses-M000{entity}_T1w.nii.gz"
        reason = "the only one of its kind in this visit"
        rows.append(ids.assign(filename=files, contrast=contrast, role=role, reason=reason))
    return pd.concat(rows)


def invent_volumes(ids: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Return three images a visit, the synthetic one nearer to the real one."""
    size = (len(ids), 3)
    real = generator.normal((650, 480, 330), (50, 40, 50), size)
    shifts = {"nce": 0, "ce": (90, -15, -80), "synthetic": (15, -4, -12)}
    tables = []
    for image, shift in shifts.items():
        values = real + shift + generator.normal(0, 8, size) * (image != "nce")
        table = ids.assign(image=image, engine="spm", flags=None)
        columns = ["gm_cm3", "wm_cm3", "csf_cm3"]
        table[[*columns, "tiv_cm3"]] = np.column_stack([values, values.sum(axis=1)]).round(3)
        tables.append(table)
    return pd.concat(tables)


def invent_pictures(folder: Path, names: list[str], generator: np.random.Generator) -> None:
    """Draw some heads with noise in them, and give each visit one."""
    originals = [
        draw_head(folder / f"original-{number}.webp", generator) for number in range(N_PICTURES)
    ]
    for place, name in enumerate(names):
        original = originals[place % N_PICTURES]
        picture = folder / f"{name}_ses-M000_desc-SynthNCE_planes.webp"
        shutil.copy(original, picture)
        shutil.copy(layout_of(original), layout_of(picture))


def draw_head(path: Path, generator: np.random.Generator) -> Path:
    """Write the picture of an invented brain with folds, three images and nine outlines."""
    from scipy.ndimage import gaussian_filter

    brain = template_brain()
    noise = generator.standard_normal(brain.shape).astype(np.float32)
    folds = gaussian_filter(noise, 3)
    folds /= folds.std()
    tissue = 1 + 0.25 * np.tanh(2 * folds) + 0.04 * noise
    real = np.where(brain, tissue, 0).astype(np.float32)
    enhanced = np.where(brain & (folds > 2.2), real * 1.8, real).astype(np.float32)
    maps = TissueMaps(*(
        (brain & where).astype(np.float32)
        for where in (abs(folds) < 0.5, folds >= 0.5, folds <= -0.5)
    ))  # fmt: skip
    images = {"ce": enhanced, "synthetic": real, "nce": real}
    save_planes(images, dict.fromkeys(images, maps), path)
    return path


def write_plain(report: Path, plain: Path, n_visits: int) -> Path:
    """Write the version that shows all cards and loads all pictures at once."""
    inert, eager = '<script type="text/plain" data-picture=', '<img alt="" width="273" data-of='
    with report.open(encoding="utf-8") as lines, plain.open("w", encoding="utf-8") as out:
        for line in lines:
            if line.startswith(inert):
                name, encoded = line[len(inert) :].split(">", 1)
                encoded = encoded.removesuffix("</script>\n")
                out.write(f'{eager}{name} src="data:image/webp;base64,{encoded}">\n')
            else:
                out.write(re_paged(line, n_visits))
    return plain


def re_paged(line: str, n_visits: int) -> str:
    """Return a line of the report with one page for all visits."""
    return line.replace('"cards_per_page":10', f'"cards_per_page":{n_visits}')


def compare(report: Path, plain: Path, openings: int) -> None:
    """Open both versions in turn and print the medians."""
    figures: dict[str, list[dict[str, float]]] = {"report": [], "plain": []}
    for _ in range(openings):
        for name, path in (("report", report), ("plain", plain)):
            figures[name].append(open_report(path))
    print(f"{'':34}{'report ms':>10}{'plain ms':>10}{'ratio':>8}")
    for key in figures["report"][0]:
        ours, theirs = (statistics.median(f[key] for f in figures[n]) for n in ("report", "plain"))
        print(f"{key:34}{ours:10.0f}{theirs:10.0f}{ours / theirs:8.3f}")


def open_report(path: Path) -> dict[str, float]:
    """Return the milliseconds until visits are shown and all is read, and of some clicks."""
    with tempfile.TemporaryDirectory() as profile:
        driver = start_chromium(profile)
        try:
            driver.get(path.as_uri())
            driver.execute_async_script(
                "const done = arguments[0]; const ready = () => setTimeout(done, 50);"
                "document.readyState === 'complete' ? ready() : addEventListener('load', ready)"
            )
            found = json.loads(driver.execute_script(
                "return JSON.stringify({shown: performance.getEntriesByName('shown')[0].startTime,"
                "all: performance.getEntriesByType('navigation')[0].loadEventEnd})"
            ))  # fmt: skip
            return {
                "first visits shown": found["shown"],
                "everything read": found["all"],
                "sort": time_of(driver, SORT),
                "find": time_of(driver, FIND),
            }
        finally:
            driver.quit()


def start_chromium(profile: str) -> Chrome:
    """Return a browser without a window, with an empty profile."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in (*CHROMIUM, f"--user-data-dir={profile}", "--window-size=1280,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(300)
    driver.set_script_timeout(300)
    return driver


def time_of(driver: Chrome, action: str) -> float:
    """Return the milliseconds from an action to the second frame after it, when it is drawn."""
    milliseconds: Any = driver.execute_async_script(
        f"const done = arguments[0]; const begin = performance.now(); {action};"
        "requestAnimationFrame(() => requestAnimationFrame("
        "() => done(performance.now() - begin)))"
    )
    return float(milliseconds)


if __name__ == "__main__":
    main()
