"""A bundle as a source of sound: its stems added up, at any rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.prep.mixdown import source_blocks

FRAMES = 200_001


def tone(hertz: float) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(FRAMES) / 48_000)
    return np.column_stack((wave, -wave)).astype(np.float32)


def bundle(folder: Path, pcm: str = "s16") -> Path:
    stems = {"drums": tone(200.0), "bass": tone(50.0), "vocals": tone(1000.0)}
    return write_bundle_arrays(
        folder / "song.sfa", stems, title="Song", artist="Wren", bpm=None, pcm=pcm
    )


@pytest.mark.parametrize(("pcm", "tolerance"), [("s16", 3 / 65536 + 1e-6), ("f32", 1e-6)])
def test_the_stems_add_up_to_the_mix(tmp_path: Path, pcm: str, tolerance: float) -> None:
    said: list[float] = []
    source = source_blocks(bundle(tmp_path, pcm), 48_000, said.append)
    sound = np.concatenate(list(source))
    wanted = tone(200.0) + tone(50.0) + tone(1000.0)
    assert sound.shape == (FRAMES, 2)
    np.testing.assert_allclose(sound, wanted, atol=tolerance)
    assert (source.title, source.artist, source.frames) == ("Song", "Wren", FRAMES)
    assert said[-1] == 1.0


def test_at_another_rate_the_length_is_right(tmp_path: Path) -> None:
    sound = np.concatenate(list(source_blocks(bundle(tmp_path), 24_000)))
    assert abs(len(sound) - FRAMES / 2) <= 1


def test_a_file_is_decoded_as_ever(tmp_path: Path) -> None:
    song = bundle(tmp_path)
    sound = np.concatenate(list(source_blocks(song / "bass.wav", 48_000)))
    np.testing.assert_allclose(sound, tone(50.0), atol=1 / 32768)


def test_a_bundle_that_lost_a_stem_is_an_error(tmp_path: Path) -> None:
    song = bundle(tmp_path)
    (song / "bass.wav").unlink()
    with pytest.raises(MediaError, match=r"bass\.wav"):
        list(source_blocks(song))
