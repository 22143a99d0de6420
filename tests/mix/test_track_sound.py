"""What tracks sound like as numbers: on generated pieces, through the analysis and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfa_engine.bench.pieces.kinds import make_piece
from sfa_engine.mix.similarity import Space, likeness
from sfa_engine.mix.sound import (
    GROUPS,
    MEASURES,
    VECTOR,
    Analysed,
    Floats,
    measures,
    vector,
)
from sfa_engine.prep.analyse.analysis import evaluate
from sfa_engine.prep.analyse.measurement import measure_track
from sfa_engine.track.curves import FILE, read_curves, unpacked

KINDS = ("jungle", "pop_rock", "slow_hiphop", "disco", "gabber")


def tables(seconds: float = 60.0, *, mfcc: float = 0.0, hz: float = 2000.0) -> dict[str, Floats]:
    """Return curves of a made sound: a beat of 2 Hz in the low band."""
    rows, fine = int(2 * seconds), int(150 * seconds)
    rng = np.random.default_rng(1)
    low = (np.sin(2 * np.pi * 2.0 * np.arange(fine) / 150.0) > 0.9).astype(float)
    return {
        "mfcc": rng.normal(mfcc, 1.0, (rows, 20)),
        "chroma": rng.uniform(0, 1, (rows, 12)),
        "centroid": np.full((rows, 1), hz),
        "rolloff": np.full((rows, 1), 2 * hz),
        "energy": np.full((rows, 1), 0.5),
        "loudness": np.full((rows, 1), -12.0),
        "peaks": np.stack([low, low, 0.2 * low, 0.1 * low], axis=1),
    }


def measured(of: dict[str, Floats], onsets_s: Floats, **known: object) -> dict[str, float]:
    found = measures(of, onsets_s, Analysed(**known))  # type: ignore[arg-type]
    return dict(zip(MEASURES, found.tolist(), strict=True))


def test_groups_are_the_whole_vector() -> None:
    assert [part.start for part in GROUPS.values()] == [0, *[p.stop for p in GROUPS.values()][:-1]]
    assert len(vector(tables())) == VECTOR == list(GROUPS.values())[-1].stop


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 3.0])
def test_a_short_sound_has_a_vector_of_numbers(seconds: float) -> None:
    found = vector(tables(seconds))
    assert found.shape == (VECTOR,)
    assert np.isfinite(found).all()


def test_even_attacks_are_more_rolling_than_uneven_ones() -> None:
    even = np.arange(0, 60, 0.25)
    broken = np.concatenate([np.arange(bar, bar + 2, 0.1) for bar in range(0, 60, 4)])
    of = tables()
    assert measured(of, even, bpm=120.0)["evenness"] == pytest.approx(0.0, abs=0.05)
    assert measured(of, broken, bpm=120.0)["evenness"] < -0.5
    assert np.isnan(measured(of, even)["evenness"])  # without a tempo there are no bars


def test_measures_follow_what_they_are_named_after() -> None:
    of = tables()
    onsets = np.arange(0, 60, 0.5)
    found = measured(of, onsets, bpm=120.0, lufs=-8.0, peak_dbtp=-1.0, sections=4, duration_s=60.0)
    assert found["crest"] == pytest.approx(7.0)
    assert found["attacks"] == pytest.approx(2.0)
    assert found["sections"] == pytest.approx(3.0)
    assert np.isnan(found["vocals"])
    sung = measured(of, onsets, duration_s=60.0, vocals_s=[[0.0, 15.0], [30.0, 45.0]])
    assert sung["vocals"] == pytest.approx(0.5)
    assert measured(tables(hz=4000.0), onsets)["brightness"] > found["brightness"]
    changing = tables()
    changing["mfcc"] = changing["mfcc"] + np.repeat([0.0, 8.0], 60)[:120, None]
    assert measured(changing, onsets)["novelty"] > found["novelty"]


def test_one_strange_track_does_not_stretch_the_space() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(40, VECTOR)).astype(np.float32)
    vectors[1] = vectors[0] + 0.05 * rng.normal(size=VECTOR)
    vectors[39] = 1e6
    placed = Space.of(vectors).place(vectors)
    assert np.allclose((placed**2).sum(1), 1.0, atol=1e-4)
    alike = likeness(placed, placed[0])
    assert int(np.argsort(-alike)[1]) == 1


@pytest.mark.nightly
def test_the_other_half_of_a_track_is_the_likest(tmp_path: Path) -> None:
    vectors, names = [], []
    for name in KINDS:
        piece = make_piece(name, 1)
        middle = len(piece.sound) // 2
        for half in (piece.sound[:middle], piece.sound[middle:]):
            vectors.append(_described(half, tmp_path))
            names.append(name)
    placed = Space.of(np.array(vectors)).place(np.array(vectors))
    alike = placed @ placed.T
    np.fill_diagonal(alike, -2.0)
    found = [names[int(best)] for best in alike.argmax(1)]
    assert sum(one != other for one, other in zip(found, names, strict=True)) <= 1, found


def _described(sound: np.ndarray, folder: Path) -> np.ndarray:
    found = evaluate(measure_track([sound.astype(np.float32)]), {}, digest="00" * 32)
    (folder / FILE).write_bytes(unpacked(found["curves"]))
    curves = read_curves(folder)
    of = {
        n: curves.values(n) for n in ("mfcc", "chroma", "centroid", "rolloff", "energy", "loudness")
    }
    return vector({**of, "peaks": curves.values("peaks/mix")})
