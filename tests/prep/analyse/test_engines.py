"""The two engines of spectral features, side by side on real music."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.demo.groove import GROOVES, render_groove
from sfa_engine.errors import Refused
from sfa_engine.prep.analyse.engines import LIBROSA, OWN, spectra_of
from sfa_engine.prep.analyse.features import Spectra, summary
from sfa_engine.prep.decode import decode

# Eight seconds of Brahms's Hungarian Dance No. 5, played by an orchestra: public domain.
EXCERPT = Path(__file__).parent / "hungarian_dance.ogg"


# The groove has every feature in it; the orchestra tells of tones without drums.
@pytest.fixture(scope="module", params=["groove", "orchestra"])
def engines(request: pytest.FixtureRequest) -> dict[str, Spectra]:
    pytest.importorskip("librosa", reason="the extra librosa is not installed")
    if request.param == "orchestra":
        sound = decode(EXCERPT).sound
    else:
        sound = np.asarray(sum(render_groove(GROOVES[0]).stems.values()))[: 8 * 48_000]
    mono = sound.mean(axis=1).astype(np.float32)
    engines = {engine: spectra_of(engine) for engine in (OWN, LIBROSA)}
    for spectra in engines.values():
        for at in range(0, len(mono), 48_000):
            spectra.take(mono[at : at + 48_000])
    return engines


@pytest.mark.nightly
def test_both_engines_measure_the_same(engines):
    ours, theirs = engines[OWN], engines[LIBROSA]
    sounds = ours.curve("mel").max(axis=1) > -6000  # -60 dB; silence is 1 in librosa's chroma
    for name, tolerance in (
        ("chroma", 0.01), ("centroid", 1.0), ("rolloff", 12.0), ("crossings", 1e-4), ("mel", 5),
    ):  # fmt: skip
        one, other = ours.curve(name)[sounds], theirs.curve(name)[sounds]
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=2e-3, err_msg=name)
    np.testing.assert_allclose(ours.mfcc(), theirs.mfcc(), atol=0.2)
    contrast, other = ours.curve("contrast")[sounds], theirs.curve("contrast")[sounds]
    assert np.abs(contrast - other)[:, :6].mean() < 0.5
    for name in ("tones", "levels"):
        np.testing.assert_array_equal(engines[OWN].curve(name), engines[LIBROSA].curve(name))
    assert summary(engines[OWN]).keys() == summary(engines[LIBROSA]).keys()


def test_an_unknown_engine_is_refused_with_the_names_there_are():
    with pytest.raises(Refused, match="essentia") as refused:
        spectra_of("essentia")
    assert "librosa" in refused.value.hint


@pytest.mark.slow
def test_an_engine_that_is_not_installed_is_refused():
    code = (
        "import sys; sys.modules['librosa'] = None\n"
        "from sfa_engine.prep.analyse.engines import spectra_of\n"
        "from sfa_engine.errors import Refused\n"
        "try: spectra_of('librosa')\n"
        "except Refused as error: print(error.message, '-', error.hint)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "not installed" in ran.stdout
    assert "sfa-engine[librosa]" in ran.stdout
