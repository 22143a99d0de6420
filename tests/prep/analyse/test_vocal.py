"""Where the vocals sing, from a stem that other stems bleed into."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.prep.analyse.cue import find_cues
from sfa_engine.prep.analyse.structure import Section
from sfa_engine.prep.analyse.vocal import find_vocals

BANDS = ("low", "mid", "snare", "high")
MS = 40_000
SUNG = ((8.0, 14.0), (20.0, 26.0))


def levels(curve: np.ndarray) -> dict[str, np.ndarray]:
    return {name: curve.astype(np.float32) for name in BANDS}


def sung() -> np.ndarray:
    """A voice: syllables of 300 ms, 50 ms of less between them."""
    t = np.arange(MS) / 1000
    voice = np.where(t % 0.35 < 0.3, 0.2, 0.05)
    return voice * sum((t >= a) & (t < b) for a, b in SUNG)


def drums() -> np.ndarray:
    t = np.arange(MS) / 1000
    return 0.7 * np.exp(-(t % 0.5) / 0.04) + 0.1


def at_db(decibels: float) -> float:
    return 10 ** (decibels / 20)


@pytest.mark.parametrize("bleed_db", [-60, -30, -20])
def test_spans_are_where_the_voice_sings_whatever_bleeds_into_its_stem(bleed_db):
    found = find_vocals(levels(sung() + at_db(bleed_db) * drums()), levels(sung() + drums()))
    assert np.abs(np.array(found) - np.array(SUNG)).max() < 0.2


@pytest.mark.parametrize("bleed_db", [-40, -24, -18])
def test_bleed_alone_is_no_voice(bleed_db):
    assert find_vocals(levels(at_db(bleed_db) * drums()), levels(drums())) == []


@pytest.mark.parametrize("length", [0, 1, 49, 50, 120])
def test_a_silent_or_short_stem_has_no_voice(length):
    silence = levels(np.zeros(length))
    assert find_vocals(silence, silence) == []


def test_the_vocals_come_in_on_a_bar_after_bars_without_them():
    bars_s = np.arange(0.0, 66.0, 2.0)
    sections = [Section(0.0, 64.0, "verse", 0.0)]
    spans = [[7.9, 12.0], [14.5, 20.0], [40.3, 50.0]]  # a breath in between is no new place
    cues = [c for c in find_cues(sections, bars_s, {}, spans) if c.kind == "vocals"]
    assert [(c.time_s, c.label, c.hot_cue) for c in cues] == [
        (8.0, "vocals 1", None), (40.0, "vocals 2", None),
    ]  # fmt: skip
