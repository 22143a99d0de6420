"""Each feature's sound, compared to the byte with how it was when it was right."""

from pathlib import Path

import numpy as np
import pytest
import scenes
import soundfile

GOLDEN = Path(__file__).parents[2] / "golden"
LARGEST_BYTES = 100_000


def compare(name, heard, listen):
    """Compare a sound with the golden one of a name; what differs is written to a folder."""
    golden = np.load(GOLDEN / f"{name}.npy")
    assert heard.shape == golden.shape
    assert heard.dtype == golden.dtype
    if heard.tobytes() == golden.tobytes():
        return
    for what, sound in (("heard", heard), ("golden", golden), ("difference", heard - golden)):
        soundfile.write(listen / f"{name}-{what}.wav", sound, scenes.RATE, "FLOAT")
    away = np.abs(heard - golden).max(axis=1)
    pytest.fail(
        f"{name}: {(away > 0).sum()} of {len(away)} frames differ, from frame "
        f"{(away > 0).argmax()} on, by up to {away.max():g}; listen to "
        f"{listen}/{name}-heard.wav, -golden.wav and -difference.wav; "
        "if it is right, accept it with --accept-golden"
    )


@pytest.fixture
def check(accept_golden, tmp_path):
    """Compare a sound with the golden one of a name, or accept it."""

    def check(name, heard):
        if accept_golden:
            np.save(GOLDEN / f"{name}.npy", heard)
        compare(name, heard, tmp_path)

    return check


def test_the_scene_sounds_as_it_did(check):
    check("scene", scenes.everything())


@pytest.mark.parametrize("feature", scenes.FEATURES, ids=lambda feature: feature.__name__)
def test_a_feature_sounds_as_it_did(check, feature):
    heard = feature()
    check(f"feature-{feature.__name__}", heard)
    assert 0.1 < np.abs(heard).max() <= 1.0


@pytest.mark.parametrize("feature", scenes.FEATURES, ids=lambda feature: feature.__name__)
def test_golden_sound_is_short(feature):
    path = GOLDEN / f"feature-{feature.__name__}.npy"
    assert path.stat().st_size < LARGEST_BYTES


def test_a_sound_that_differs_is_written_beside_the_golden_one_to_listen_to(tmp_path):
    golden = np.load(GOLDEN / "feature-mute.npy")
    other = golden.copy()
    other[1234, 1] = np.nextafter(other[1234, 1], np.float32(1))
    with pytest.raises(pytest.fail.Exception, match=r"1 of 9600 frames differ, from frame 1234"):
        compare("feature-mute", other, tmp_path)
    for what, sound in (("heard", other), ("golden", golden)):
        written, _ = soundfile.read(tmp_path / f"feature-mute-{what}.wav", dtype="float32")
        assert np.array_equal(written, sound)
