"""A plan rendered by the kernel: decks on the bar, in phase, and back at their own tempo."""

import numpy as np
import pytest

from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.mix.audition import audition
from sfa_engine.mix.facts import facts_of
from sfa_engine.mix.mix_script import mix_script
from sfa_engine.mix.plan import plan_mix
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script
from sfa_engine.track.grid import Anchor, Grid

RATE, BARS, FIRST_S = 48_000, 40, 0.25
STEMS = ("drums", "bass", "other", "vocals")


def track(folder, number, bpm):
    """Write a bundle of clicks on each beat; return its facts and its folder."""
    length_s = FIRST_S + (BARS * 4 + 1) * 60 / bpm
    sound = np.zeros((round(length_s * RATE), 2), np.float32)
    beats = np.round((FIRST_S + np.arange(BARS * 4) * 60 / bpm) * RATE).astype(int)
    sound[beats] = 0.25
    path = write_bundle_arrays(
        folder / f"{number}.sfa",
        dict.fromkeys(STEMS, sound),
        title=f"Track {number}",
        artist="Clicks",
        bpm=bpm,
        first_beat_s=FIRST_S,
    )
    facts = facts_of(
        number,
        length_s=length_s,
        grid=Grid((Anchor(FIRST_S * RATE, 0.0),), bpm),
        confidence=0.9,
        bpm=bpm,
        stems=STEMS,
        features={"vocals_s": []},
    )
    return facts, str(path)


@pytest.mark.slow
def test_a_blend_that_is_rendered_is_on_the_bar_and_returns_to_its_own_tempo(tmp_path):
    made = [track(tmp_path, number, bpm) for number, bpm in ((1, 150.0), (2, 159.0))]
    facts = {each.id: each for each, _ in made}
    plan = plan_mix(list(facts.values()), ordered=True)
    blend = plan.transitions[0]
    assert blend.kind == "blend"
    assert 1 < blend.out_rate < 1.04
    table, start_s, end_s, _ = audition(plan, facts, 0, bars=24)
    text = mix_script(table, {number: path for number, (_, path) in enumerate(made, 1)})
    seen = []

    def watch(time_s, stage):
        seen.append((time_s, {name: stage.get(name) for name in WATCHED}))

    for _ in perform(parse_script(text), watch=watch):
        pass
    before = [v for t, v in seen if t < start_s - 0.2]
    during = [v for t, v in seen if start_s + 0.2 < t < end_s - 0.2]
    assert len(during) > 50
    assert not any(v["deck2.play"] for v in before)
    # A thousandth of a beat is 0.4 ms.
    assert max(abs(v["deck2.phase_error"]) for v in during) < 1e-3
    assert {round(v["deck2.bar_error"], 3) for v in during} == {0.0}
    apart = {round((v["deck1.beat"] - v["deck2.beat"]) / 4, 3) for v in during}
    assert apart == {blend.out_bar - blend.in_bar}
    last = seen[-1][1]
    assert last["deck1.play"] == 0
    assert last["deck2.rate"] == pytest.approx(1.0, abs=1e-4)
    for path in ("deck2.fader", "deck2.stem.other.volume", "deck2.stem.drums.filter"):
        assert last[path] == 0
    assert last["deck2.stem.bass.mute"] == 0


WATCHED = (
    "deck1.play", "deck2.play", "deck1.beat", "deck2.beat", "deck2.phase_error", "deck2.bar_error",
    "deck2.rate", "deck2.fader", "deck2.stem.other.volume", "deck2.stem.drums.filter",
    "deck2.stem.bass.mute",
)  # fmt: skip
