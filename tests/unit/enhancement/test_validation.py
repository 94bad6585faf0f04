"""What is measured on a visit of t1-virtual-enhance, and when it is measured again."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from clinica_gado.caps import (
    ENHANCEMENT,
    qc_folder,
    read_sidecar,
    real_enhanced_paths,
    segmentation_paths,
)
from clinica_gado.commands.report import cli as report_command
from clinica_gado.errors import GadoError
from clinica_gado.evaluation.lesions import Lesions
from clinica_gado.evaluation.similarity import similarity_row
from clinica_gado.files import sha256_of, write_json
from clinica_gado.outcomes import ALREADY_DONE
from clinica_gado.preprocessing.images import Volume, read_volume, save_volume
from clinica_gado.report.build import write_report
from clinica_gado.report.pages import export_pages
from clinica_gado.report.planes import layout_of
from clinica_gado.roles import CE, LOW_DOSE, ROUTINE, SYNTHETIC, T1W
from clinica_gado.segmentation.segmenter import TissueMaps
from clinica_gado.validation import enhanced_lesions, enhancement
from clinica_gado.validation.enhanced_lesions import measure_lesions
from clinica_gado.validation.enhancement import (
    image_paths,
    is_validated,
    known_end,
    measure_change,
    measure_similarity,
    validate_visit,
)
from clinica_gado.validation.tables import collect, write_enhancement_tables
from clinica_gado.virtual_enhancement import PIPELINE, paths_of, synthesise

SHAPE = (20, 20, 20)
BRAIN = np.sqrt(((np.indices(SHAPE) - 9.5) ** 2).sum(axis=0)) < 8


def test_likeness_is_that_of_both_images_to_the_real_one(make_images):
    found, given = measure_similarity(make_images(), BRAIN), make_images()
    for role in (T1W, SYNTHETIC):
        expected = similarity_row(given[role], given[CE], BRAIN)["psnr_db_as_is"]
        assert found[role]["psnr_db_as_is"] == pytest.approx(expected, abs=1e-4)
    assert found[SYNTHETIC]["psnr_db_as_is"] > found[T1W]["psnr_db_as_is"]


def test_what_the_model_left_empty_counts_as_error(make_images):
    given = make_images()
    whole = measure_similarity(given, BRAIN)[SYNTHETIC]
    given[SYNTHETIC] = np.where(np.indices(SHAPE)[0] > 10, 0, given[SYNTHETIC]).astype(np.float32)
    assert measure_similarity(given, BRAIN)[SYNTHETIC]["psnr_db_as_is"] < whole["psnr_db_as_is"] - 5


def test_likeness_in_lesions_has_one_place_contrast_tsv(make_images, monkeypatch):
    none = np.zeros(SHAPE, np.float32)
    monkeypatch.setattr(
        enhanced_lesions, "load_tissue_priors", lambda: TissueMaps(none, none, none)
    )
    found, lesion = measure_similarity(make_images(), BRAIN), np.zeros(SHAPE, dtype=bool)
    lesion[8:12, 8:12, 8:12] = True
    assert not [name for name in found[SYNTHETIC] if "tumour" in name]
    assert None not in found[SYNTHETIC].values()
    of_lesions = measure_lesions(make_images(), Lesions(lesion, lesion), BRAIN)
    assert of_lesions["p2_tumour_l2_e4_synthetic"] > 0


def test_there_is_no_likeness_without_a_real_image(make_images):
    given = make_images()
    del given[CE]
    assert measure_similarity(given, BRAIN) == {}


def test_a_change_is_measured_in_shares_of_the_median_before():
    before = np.full(SHAPE, 100, np.float32)
    after = before.copy()
    after[BRAIN & (np.indices(SHAPE)[0] < 10)] = 150
    spread = np.full(SHAPE, 7, np.float32)
    found = measure_change(before, after, BRAIN, spread)
    assert found == {
        "brightened_percent": pytest.approx(50),
        "darkened_percent": 0,
        "mean_change_percent": pytest.approx(25),
        "median_uncertainty_percent": pytest.approx(7),
    }


def test_a_visit_is_done_once_it_is_measured_too(visit, settings):
    job, sha256 = visit
    assert known_end(job, settings, sha256) is None
    validate_visit(job, settings)
    end = known_end(job, settings, sha256)
    assert (end.status, end.flags) == (ALREADY_DONE, ("rotation of 60°",))
    rows = layout_of(paths_of(job, settings).planes).read_text()
    assert all(f'"{row}"' in rows for row in ("t1w", "synthetic", "ce", "change", "uncertainty"))


def test_other_images_and_pictures_are_measured_again(visit, settings):
    job, _ = visit
    validate_visit(job, settings)
    assert is_validated(job, settings)
    paths = paths_of(job, settings)
    picture = paths.planes.read_bytes()
    paths.planes.write_bytes(b"of the amplified image")
    assert not is_validated(job, settings)
    paths.planes.write_bytes(picture)
    real_enhanced_paths(settings.caps, job).image.write_bytes(paths.image.read_bytes())
    assert not is_validated(job, settings)
    validate_visit(job, settings)
    measured = read_sidecar(paths.measures)["Similarity"][SYNTHETIC]
    assert measured["mae_as_is"] == 0


def test_a_real_image_that_cannot_be_aligned_costs_nothing_else(visit, settings, monkeypatch):
    job, sha256 = visit
    job.reference.write_bytes(b"another image")
    with pytest.raises(GadoError, match="cannot be read"):
        validate_visit(job, settings)
    measured = read_sidecar(paths_of(job, settings).measures)
    assert list(measured["Images"]) == [T1W, SYNTHETIC]
    assert measured["Similarity"] == {}
    assert known_end(job, settings, sha256) is None
    monkeypatch.setattr(enhancement, "prepare_sequence", leave_real_image)
    validate_visit(job, settings)
    assert known_end(job, settings, sha256).status == ALREADY_DONE


def leave_real_image(name, file, source, prepared, destination, options):
    shape = read_volume(prepared.linear).data.shape
    values = np.random.default_rng(1).uniform(50, 150, shape).astype(np.float32)
    save_volume(Volume(values, np.eye(4)), destination.image)
    lead = read_sidecar(prepared.linear_sidecar) or {}
    request = {"ImageSha256": sha256_of(file.path), "BValuesSha256": None}
    request |= {"LeadSha256": lead.get("SourceSha256"), "Options": lead.get("Options")}
    write_json(destination.sidecar, request)


def test_a_segmentation_asked_for_later_is_made_later(visit, settings, monkeypatch):
    job, _ = visit
    validate_visit(job, settings)
    seen = []

    class Segmenter:
        name = "counting"

        def describe(self):
            return {}

        def segment(self, paths, save):
            seen.extend(paths)
            return {path: f"{path.name} broke." for path in paths}

    monkeypatch.setattr(
        "clinica_gado.validation.settings._find_segmenter",
        lambda wanted, tpm: Segmenter() if wanted == "builtin" else None,
    )
    wanted = replace(settings, segmentation="builtin")
    assert not is_validated(job, wanted)
    with pytest.raises(GadoError, match=r"broke\..*broke\."):
        validate_visit(job, wanted)
    assert len(seen) == 3
    assert is_validated(job, settings)


@pytest.mark.parametrize(
    ("inputs", "amplify", "roles"),
    [
        (("T1w", "T1w-lowdose"), False, [T1W, LOW_DOSE, SYNTHETIC, CE]),
        (("T1w", "T1w-lowdose"), True, [T1W, ROUTINE, SYNTHETIC]),
        (("T1w-lowdose", "T2w"), False, [LOW_DOSE, SYNTHETIC, CE]),
        (("T1w-lowdose", "T1w"), False, [LOW_DOSE, T1W, SYNTHETIC, CE]),
    ],
)
def test_images_are_named_by_what_they_are(
    inputs, amplify, roles, make_job, make_bundle, use, settings
):
    use(make_bundle(*inputs))
    wanted = replace(settings, amplify=amplify)
    job = make_job(*inputs, amplify=amplify, with_reference=not amplify)
    synthesise(job, wanted)
    validate_visit(job, wanted)
    measured = read_sidecar(paths_of(job, wanted).measures)
    assert list(measured["Images"]) == list(image_paths(job, wanted)) == roles
    compared = [] if amplify else [role for role in roles if role != CE]
    assert list(measured["Similarity"]) == compared
    shown = json.loads(layout_of(paths_of(job, wanted).planes).read_text())["rows"]
    assert shown == [*roles, "change", "uncertainty"]


def test_what_was_amplified_stands_beside_what_was_synthesised(
    make_job, make_bundle, use, settings
):
    inputs = ("T1w", "T1w-lowdose")
    use(make_bundle(*inputs))
    amplified = replace(settings, amplify=True)
    for wanted in (amplified, settings):
        job = make_job(*inputs, amplify=wanted.amplify, with_reference=not wanted.amplify)
        synthesise(job, wanted)
        validate_visit(job, wanted)
    folder = qc_folder(settings.caps, PIPELINE)
    write_enhancement_tables(settings.caps, folder)
    contrast = pd.read_csv(folder / "contrast.tsv", sep="\t")
    assert list(contrast.desc) == ["Amplified", "SynthCE"]
    similarity = pd.read_csv(folder / "similarity.tsv", sep="\t")
    assert set(similarity.desc) == {"SynthCE"}
    write_report(settings.caps, PIPELINE)
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    brightened = [row for row in content["contrast"] if row["column"] == "brightened_percent"]
    assert [(row["desc"], row["n_visits"]) for row in brightened] == [
        ("Amplified", 1),
        ("SynthCE", 1),
    ]
    (visit,) = content["visits"]
    assert None not in visit["columns"][-2:]


@pytest.fixture
def measured_caps(tmp_path):
    """Return a CAPS dataset of four visits with measures, also of lesions and of tissue."""
    caps = tmp_path / "caps"
    for n in range(4):
        ids = f"sub-{n:02d}_ses-M000"
        folder = caps / f"subjects/sub-{n:02d}/ses-M000/{ENHANCEMENT}"
        for desc in ("SynthCE", "Amplified"):
            names = {role: f"{ids}_desc-{role}_T1w.nii.gz" for role in (T1W, CE)}
            names[SYNTHETIC] = f"{ids}_desc-{desc}_T1w.nii.gz"
            for place, name in enumerate(names.values()):
                volumes = {"gm_cm3": 600.0 + n * place, "wm_cm3": 500.0, "csf_cm3": 300.0 + place}
                sidecar = {"Engine": "builtin", "VolumesCm3": volumes}
                write_json(segmentation_paths(folder / name).sidecar, sidecar)
            content = {
                "Images": names,
                "Similarity": {
                    role: {"psnr_db_as_is": 20.0 + gain + n**2 * gain}
                    for role, gain in ((T1W, 0.0), (SYNTHETIC, 1.5))
                    if desc == "SynthCE"
                },
                "Contrast": {"cnr_t1w": 1.0 + n, "cnr_synthetic": 9.0 + n**2},
                "Flags": [],
            }
            write_json(folder / f"{ids}_desc-{desc}_measures.json", content)
    return caps


def test_synthetic_images_are_tested_against_the_others(measured_caps):
    folder = qc_folder(measured_caps, PIPELINE)
    write_enhancement_tables(measured_caps, folder)
    differences = pd.read_csv(folder / "differences.tsv", sep="\t")
    assert len(differences) == 4 * 3
    assert {"t1w_cm3", "synthetic_signed_cm3", "ce_normalised_cm3"} <= set(differences)
    tests = pd.read_csv(folder / "tests.tsv", sep="\t")
    assert list(tests.tissue) == ["gm", "wm", "csf"]
    assert set(tests.m) == {3}
    nearer = differences.t1w_cm3.mean() - differences.synthetic_cm3.mean()
    assert tests.mean_difference_cm3.mean() == pytest.approx(nearer, abs=1e-3)
    paired = pd.read_csv(folder / "paired_tests.tsv", sep="\t")
    assert list(zip(paired.desc, paired.measure, paired.n, strict=True)) == [
        ("Amplified", "cnr", 4),
        ("SynthCE", "psnr_db_as_is", 4),
        ("SynthCE", "cnr", 4),
    ]
    report = write_report(measured_caps, PIPELINE).read_text(encoding="utf-8")
    assert "Likeness · synthesised" in report
    assert "Contrast of lesions · amplified" in report
    assert "builtin" not in report.split('<h2 id="volumes-title"')[1].split("<section")[0]
    assert report.count("<svg") == 6
    (folder / "reviews.tsv").write_text(
        "participant_id\tsession_id\tdecision\nsub-01\tses-M000\treject\n", encoding="utf-8"
    )
    anew = ["--reviews", str(folder / "reviews.tsv"), "--exclude", "--tests-in-family", "5"]
    arguments = [str(measured_caps), "--pipeline", PIPELINE, *anew]
    assert CliRunner().invoke(report_command, arguments).exit_code == 0
    excluded = pd.read_csv(folder / "left_out.tsv", sep="\t")
    assert list(excluded.participant_id) == ["sub-01"]
    for name in ("tests", "paired_tests"):
        table = pd.read_csv(folder / f"{name}.tsv", sep="\t")
        assert (set(table.n), set(table.m)) == ({3}, {5})
    refused = CliRunner().invoke(
        report_command, [*arguments, "--quality-tsv", str(folder / "reviews.tsv")]
    )
    assert (refused.exit_code, "--quality-tsv applies only to" in refused.output) == (2, True)
    pages = export_pages(measured_caps, PIPELINE, folder / "pages", "png")
    assert len(pages) == 2


WHITE = "white matter by its prior (over 0.9), more than 10 mm from any lesion"
MASKS = "the visit's mask in the folder that --healthy names, without lesions"


@pytest.mark.parametrize(
    ("sources", "healthy"),
    [
        (["white matter"] * 4, f"{WHITE} (4 rows of contrast.tsv)"),
        (["mask"] * 4, f"{MASKS} (4 rows of contrast.tsv)"),
        (
            ["mask", *["white matter"] * 3],
            f"{WHITE} (3 rows of contrast.tsv); {MASKS} (1 row of contrast.tsv)",
        ),
        ([None] * 4, f"{WHITE}, or {MASKS}"),
    ],
)
def test_the_report_says_which_healthy_brain_lesions_were_compared_with(
    sources, healthy, measured_caps
):
    for n, source in enumerate(sources):
        for path in measured_caps.rglob(f"sub-{n:02d}*_desc-SynthCE_measures.json"):
            content = read_sidecar(path)
            content["Contrast"] |= {"healthy_brain": source, "lbr_synthetic": 1.5 + n}
            write_json(path, content)
    write_enhancement_tables(measured_caps, qc_folder(measured_caps, PIPELINE))
    report = write_report(measured_caps, PIPELINE)
    content = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
    defined = {row["column"]: row["definition"] for row in content["contrast"]}
    for name in ("cnr_synthetic", "lbr_synthetic"):
        assert defined[name].endswith(f"brain being healthy brain; healthy brain: {healthy}")
        assert defined[name] in unescape(report.read_text(encoding="utf-8"))


def test_tables_and_report_gather_the_visits(visit, make_job, settings):
    validate_visit(visit[0], settings)
    alone = make_job("T1w", "FLAIR", participant="sub-02", with_reference=False)
    synthesise(alone, settings)
    validate_visit(alone, settings)
    folder = qc_folder(settings.caps, PIPELINE)
    write_enhancement_tables(settings.caps, folder)
    similarity = pd.read_csv(folder / "similarity.tsv", sep="\t")
    assert list(similarity.participant_id) == ["sub-01"] * 2
    assert list(similarity.image) == [T1W, SYNTHETIC]
    assert len(collect(settings.caps, ENHANCEMENT).contrast) == 2
    report = write_report(settings.caps, PIPELINE).read_text(encoding="utf-8")
    assert "uncertainty" in report
    assert "T1w-nce" not in report
    assert "with a real image to compare with" in report
