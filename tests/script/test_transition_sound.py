"""A transition rendered twice: as planned, and without its moves, in step to the frame."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.mix.document import Move
from sfa_engine.mix.facts import facts_of
from sfa_engine.mix.plan import plan_mix
from sfa_engine.script.transition_picture import transition_picture
from sfa_engine.script.transition_sound import RATE, render_transition
from sfa_engine.track.grid import Anchor, Grid

pytestmark = pytest.mark.slow
BPM, BARS, FIRST_S = 150.0, 36, 0.25


def track(folder, number, hertz):
    """Write a bundle of a steady tone in two stems; return its facts and its folder."""
    length_s = FIRST_S + (BARS * 4 + 1) * 60 / BPM
    times = np.arange(round(length_s * RATE)) / RATE
    tone = (0.1 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)
    sound = np.stack([tone, tone], axis=1)
    path = write_bundle_arrays(
        folder / f"{number}.sfa",
        {"drums": sound, "other": sound},
        title=f"Track {number}",
        artist="Tones",
        bpm=BPM,
        first_beat_s=FIRST_S,
    )
    facts = facts_of(
        number,
        name=f"Track {number}",
        length_s=length_s,
        grid=Grid((Anchor(FIRST_S * RATE, 0.0),), BPM),
        confidence=0.9,
        bpm=BPM,
        stems=("drums", "other"),
        features={"vocals_s": []},
    )
    return facts, path


def db(sound, at_s):
    part = sound[round((at_s - 0.1) * RATE) : round((at_s + 0.1) * RATE)]
    return 10 * np.log10(float((part**2).mean()) + 1e-12)


def test_a_deck_is_heard_after_its_fader_and_as_it_would_be_without(tmp_path):
    made = [track(tmp_path, number, hertz) for number, hertz in ((1, 441.0), (2, 600.0))]
    facts = {each.id: each for each, _ in made}
    plan = plan_mix(list(facts.values()), ordered=True)
    each = plan.transitions[0]
    assert each.kind == "blend"
    moves = (
        Move("out.fader", 2.0, -12.0),
        Move("in.fader", 0.0, -60.0),
        Move("in.fader", 4.0, 0.0),
    )
    each = replace(each, bars=8, moves=moves, in_glide_bars=0)
    plan = replace(plan, transitions=(each,))
    seen = []
    bundles = {number: path for number, (_, path) in enumerate(made, 1)}
    found = render_transition(plan, facts, bundles, 0, bars=3, progress=seen.append)
    start_s, bar_s = found.place.start_s, found.place.bar_s
    assert len(found.mix) == len(found.out.mixed) == len(found.out.unity)
    at = [start_s + k * bar_s for k in (-1, 1, 3, 6)]
    own = db(found.out.unity, at[0])
    assert [db(found.out.unity, t) - own for t in at] == pytest.approx([0, 0, 0, 0], abs=0.1)
    assert [db(found.out.mixed, t) - own for t in at] == pytest.approx([0, 0, -12, -12], abs=0.1)
    assert db(found.into.mixed, at[1]) < own - 50
    assert db(found.into.unity, at[1]) == pytest.approx(db(found.into.mixed, at[3]), abs=0.1)
    # What is in neither render of the short part is as in the mix, without a step.
    assert db(found.out.unity, at[0] - bar_s) == pytest.approx(own, abs=0.1)
    both = db(found.mix.mean(axis=1), at[3])
    assert both == pytest.approx(db(found.into.mixed + found.out.mixed, at[3]), abs=0.5)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    picture = transition_picture(found, plan, 0, facts)
    for words in ("Track 1", "Track 2", "8 bars", "out.fader -12", "drums", "other"):
        assert words in picture
    assert picture.count("<polygon") == 5
