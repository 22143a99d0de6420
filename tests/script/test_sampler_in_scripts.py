"""Scripts load kits and sounds, and hit pads, each at its exact frame."""

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import MediaError, Refused
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script
from sfa_engine.track.kit import Source, write_kit

RATE = 48_000
SOUND = (np.random.default_rng(4).standard_normal((2400, 2)) * 0.1).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "a.wav", SOUND, RATE, "FLOAT")
    soundfile.write(tmp_path / "b.flac", SOUND[::-1], RATE, "PCM_16")
    settings = {"volume": -6.0, "mode": "gate"}
    write_kit(tmp_path / "kit", "kit", [Source(2, str(tmp_path / "a.wav"), settings=settings)])
    return tmp_path


def rendered(text, folder):
    return np.concatenate(list(perform(parse_script(text, folder))))


def test_a_script_loads_sounds_and_hits_pads_at_their_frames(folder):
    text = "0 pad 1 a.wav\n0 pad 3 b.flac\n0.1 press pad1.hit\n0.2 press pad3.hit\n1 end\n"
    out = rendered(text, folder)
    assert np.array_equal(out[4800:7200], SOUND)
    assert np.abs(out[9600:12_000] - SOUND[::-1]).max() < 1e-4
    assert not out[:4800].any()
    assert not out[12_000:].any()


def test_a_script_loads_a_kit_with_its_settings(folder):
    out = rendered("0 pad 1 b.flac\n0.1 kit kit\n0.2 press pad2.hit\n1 end\n", folder)
    assert np.abs(out[9600:12_000] - SOUND * 10 ** (-6 / 20)).max() < 1e-5
    with pytest.raises(Refused, match="no sound on the pad"):
        rendered("0 pad 1 b.flac\n0.1 kit kit\n0.2 press pad1.hit\n1 end\n", folder)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0 kit", "kit needs the name"),
        ("0 pad 1", "pad needs a pad and a sound file"),
        ("0 pad 65 a.wav", "pad needs a pad and a sound file"),
        ("0 pad x a.wav", "pad needs a pad and a sound file"),
    ],
)
def test_a_wrong_line_is_named(folder, line, sentence):
    with pytest.raises(Refused, match=f"line 1: {sentence}"):
        parse_script(f"{line}\n1 end\n", folder)


def test_what_is_missing_is_named(folder):
    with pytest.raises(MediaError, match='no kit "none"'):
        rendered("0 kit none\n1 end\n", folder)
    with pytest.raises(MediaError, match="no file"):
        rendered("0 pad 1 none.wav\n1 end\n", folder)
