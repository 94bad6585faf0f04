"""One visit of t1-virtual-enhance, from its preprocessed images on."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from clinica_gado import virtual_enhancement
from clinica_gado.caps import input_paths, read_sidecar
from clinica_gado.errors import BundleError, InputImageError, OutputError
from clinica_gado.files import sha256_of
from clinica_gado.outcomes import ALREADY_DONE, FAILED
from clinica_gado.preprocessing import multimodal
from clinica_gado.preprocessing.brain import BrainMask
from clinica_gado.preprocessing.images import read_volume, save_volume
from clinica_gado.preprocessing.t1_linear import LinearOptions
from clinica_gado.virtual_enhancement import (
    is_done,
    known_outcome,
    paths_of,
    preprocess,
    read_brain,
    request_of,
    synthesise,
)

FLAIR_MAY_LACK = {"name": "FLAIR", "may_be_missing": True}
ADC_BY_MODEL = {"name": "ADC", "synthesised_by": "t1-to-adc"}


def sidecar_of(job, settings):
    return read_sidecar(paths_of(job, settings).sidecar)


def test_the_image_its_uncertainty_and_its_sidecar_are_written(
    make_job, make_bundle, use, settings
):
    bundle, job = make_bundle("T1w", "FLAIR"), make_job("T1w", "FLAIR")
    use(bundle)
    assert synthesise(job, settings) == ("rotation of 60°",)
    paths = paths_of(job, settings)
    image, spread = nib.load(paths.image), nib.load(paths.uncertainty)
    assert image.get_data_dtype() == np.float32
    brain = read_brain(paths)
    assert not image.get_fdata()[~brain].any()
    assert spread.get_fdata()[brain].max() > 0
    sidecar = sidecar_of(job, settings)
    assert sidecar["SyntheticImage"] is True
    assert sidecar["IntendedUse"] == "research, not for diagnosis"
    assert sidecar["InputSha256"] == {n: sha256_of(f.path) for n, f in job.files.items()}
    assert sidecar["Inputs"] == {"T1w": "given", "FLAIR": "given"}
    assert sidecar["Limits"] == ["knows nothing"]
    assert (sidecar["Runs"], sidecar["ModelSha256"]) == (2, bundle.sha256)


def test_the_image_comes_in_native_space_too_when_asked_for(
    make_job, make_bundle, use, settings, monkeypatch
):
    bundle, job = make_bundle("T1w", "FLAIR"), make_job("T1w", "FLAIR")
    use(bundle)
    synthesise(job, settings)
    paths = paths_of(job, settings)
    assert not paths.native.exists()
    wanted = replace(settings, native_space=True)
    assert is_done(job, settings, bundle.sha256)
    assert not is_done(job, wanted, bundle.sha256)
    prepared = read_volume(paths.linear)
    save_volume(prepared, job.source)
    monkeypatch.setattr(LinearOptions, "correct_bias", lambda self, image: image)
    monkeypatch.setattr(virtual_enhancement, "read_itk_affine", lambda path: np.eye(4))
    again = replace(wanted, overwrite=True)
    synthesise(job, again)
    made, native = read_volume(paths.image).data, read_volume(paths.native).data
    np.testing.assert_allclose(native, made, atol=1e-2)
    assert not native[~read_brain(paths)].any()
    assert read_sidecar(paths.native_sidecar)["SpatialReference"] == "orig"
    assert paths.native.name == "sub-01_ses-M000_space-T1w_desc-SynthCE_T1w.nii.gz"
    assert is_done(job, wanted, bundle.sha256)
    paths.native.unlink()
    assert not is_done(job, wanted, bundle.sha256)


def test_zeros_for_a_missing_image_are_recorded_and_doubted(make_job, make_bundle, use, settings):
    use(make_bundle("T1w", FLAIR_MAY_LACK))
    job = make_job("T1w")
    assert "FLAIR is missing: zeros" in synthesise(job, settings)
    assert sidecar_of(job, settings)["Inputs"] == {"T1w": "given", "FLAIR": "zeros"}


def test_a_missing_image_is_synthesised_first_where_the_card_says_so(
    make_job, make_bundle, use, settings
):
    chained = make_bundle("T1w", name="t1-to-adc", task="t1-to-adc")
    use(make_bundle("T1w", ADC_BY_MODEL), chained)
    job = make_job("T1w")
    synthesise(job, settings)
    words = f"synthesised by t1-to-adc (sha256 {chained.sha256})"
    assert sidecar_of(job, settings)["Inputs"]["ADC"] == words


def test_an_image_that_nothing_can_stand_in_for_is_refused(make_job, make_bundle, use, settings):
    use(make_bundle("T1w", "FLAIR"))
    job = make_job("T1w")
    with pytest.raises(InputImageError, match="without FLAIR"):
        synthesise(job, settings)
    assert not paths_of(job, settings).sidecar.exists()


def test_a_low_dose_that_looks_unlike_its_t1w_is_doubted(
    make_job, make_bundle, use, settings, monkeypatch
):
    use(make_bundle("T1w", "T1w-lowdose"))
    job = make_job("T1w", "T1w-lowdose")
    monkeypatch.setattr(multimodal, "MIN_CORRELATION", 1.1)
    flags = synthesise(job, settings)
    assert any(flag.startswith("T1w-lowdose: correlates by only") for flag in flags)
    monkeypatch.setattr(multimodal, "MIN_CORRELATION", -1.1)
    flags = synthesise(job, replace(settings, overwrite=True))
    assert not any("correlates" in flag for flag in flags)


def test_amplifying_again_starts_from_what_was_made_and_is_doubted(
    make_job, make_bundle, use, settings
):
    use(make_bundle("T1w", "T1w-lowdose"))
    once = replace(settings, amplify=True)
    job = make_job("T1w", "T1w-lowdose", with_reference=False, amplify=True)
    synthesise(job, once)
    paths = paths_of(job, once)
    assert "desc-Amplified" in paths.image.name
    first = read_volume(paths.image).data
    low_dose = input_paths(settings.caps, job, "T1w-lowdose").image
    before = read_volume(low_dose)
    twice = replace(once, repeat=2, overwrite=True)
    assert any("amplified 2 times" in flag for flag in synthesise(job, twice))
    again = read_volume(paths.image).data
    assert not np.array_equal(first, again)
    # The second amplification is the first one of an image that was amplified before.
    virtual_enhancement.save_volume(replace(before, data=first), low_dose)
    synthesise(job, replace(once, overwrite=True))
    np.testing.assert_allclose(read_volume(paths.image).data, again, rtol=1e-4, atol=1e-2)


def test_done_is_an_image_of_the_same_inputs_model_and_parameters(
    make_job, make_bundle, use, settings
):
    bundle, job = make_bundle("T1w", FLAIR_MAY_LACK), make_job("T1w")
    use(bundle)
    assert known_outcome(job, settings, bundle.sha256) is None
    flags = synthesise(job, settings)
    known = known_outcome(job, settings, bundle.sha256)
    assert (known.status, known.flags) == (ALREADY_DONE, flags)
    changed = paths_of(job, settings).image.stat().st_mtime_ns
    synthesise(job, settings)
    assert paths_of(job, settings).image.stat().st_mtime_ns == changed
    assert known_outcome(job, replace(settings, flips="none"), bundle.sha256).status == FAILED
    with pytest.raises(OutputError, match="InputSha256"):
        is_done(make_job("T1w", "FLAIR"), settings, bundle.sha256)
    paths_of(job, settings).uncertainty.unlink()
    assert not is_done(job, settings, bundle.sha256)


def test_every_other_input_of_a_visit_follows_its_t1w(make_job, settings, monkeypatch):
    job, followed = make_job("T1w", "FLAIR"), []
    monkeypatch.setattr(virtual_enhancement, "prepare_linear", lambda *arguments: None)
    monkeypatch.setattr(
        virtual_enhancement,
        "prepare_sequence",
        lambda name, file, source, *rest: followed.append((name, file.path, source)),
    )
    preprocess(job, settings)
    assert followed == [("FLAIR", job.files["FLAIR"].path, job.source)]


def test_the_brain_is_found_once(make_job, settings, monkeypatch):
    job, found = make_job("T1w", with_reference=False), []

    def find(t1w):
        found.append(t1w)
        return BrainMask(t1w.data > 0, "builtin")

    monkeypatch.setattr(virtual_enhancement, "prepare_linear", lambda *arguments: None)
    monkeypatch.setattr(virtual_enhancement, "find_brain", find)
    preprocess(job, settings)
    assert found == []
    paths_of(job, settings).brain.unlink()
    preprocess(job, settings)
    preprocess(job, settings)
    assert len(found) == 1
    brain = read_sidecar(paths_of(job, settings).brain_sidecar)
    assert brain["Method"] == "builtin"
    assert brain["VolumeCm3"] == round((found[0].data > 0).sum() / 1000, 1)


def test_a_request_asks_for_what_the_card_says(make_bundle, settings):
    card = make_bundle("T1w", FLAIR_MAY_LACK, "T1w-lowdose").card
    request = request_of(card, settings, {})
    assert request.names == ("T1w", "FLAIR", "T1w-lowdose")
    assert request.required == {"T1w", "T1w-lowdose"}
    assert request.reference == "T1w-ce"
    amplified = request_of(card, replace(settings, amplify=True), {})
    assert amplified.kind_of("T1w-lowdose") == "T1w-ce"
    assert amplified.reference is None


@pytest.mark.parametrize(
    ("inputs", "amplify", "words"),
    [(["FLAIR"], False, "takes FLAIR first"), (["T1w"], True, "cannot amplify")],
)
def test_a_model_that_cannot_do_it_is_refused(make_bundle, settings, inputs, amplify, words):
    card = make_bundle(*inputs).card
    with pytest.raises(BundleError, match=words):
        request_of(card, replace(settings, amplify=amplify), {})
