"""The long demonstration: the set is whole, it uses what a desk has, and it sounds as it should."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from sfa_engine.demo.groove import PIECES, render_groove
from sfa_engine.demo.long_demo import GROOVES, Watch, long_script, script_path
from sfa_engine.demo.set_picture import SIZE_PIXELS, clock, draw_set
from sfa_engine.desk import CONTROLS, Button
from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import Refused
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.script.render import perform
from sfa_engine.script.script import Script, parse_script

RATE = 48_000
FIRST_S = 60.0  # that the normal suite renders
# Controls of a performer that the set does not use, and why.
UNUSED = {
    "deck.load_selected": "of a surface's list",
    "deck.hotcue_bank": "which pads a surface shows",
    "deck.sync_align": "beat, as rests",
    "deck.sync_bar": "the set starts decks on phrases",
    "deck.stem_key": "the three tracks are matched in key",
    "deck.stem.fx": "of the effect units",
    "deck.grid.tap": "needs a hand in time",
    "deck.grid.shift": "corrects a wrong grid, as nudge does",
    "deck.grid.downbeat": "corrects a wrong grid",
    "deck.grid.tempo_here": "corrects a wrong grid",
    "deck.grid.halve": "corrects a wrong grid",
    "deck.grid.double": "corrects a wrong grid",
    "deck.loop.on_load": "for a track that was saved with a loop; hotcue.on_load is used",
    "deck.leader": "named where nobody else may lead; here the audible deck leads",
    "master.volume": "set before a set",
    "master.limiter.on": "set before a set",
    "master.limiter.ceiling": "set before a set",
    "master.limiter.release": "set before a set",
    "master.balance": "set before a set",
    "master.mono": "set before a set",
    "master.booth": "of another room",
    "master.auto_gain": "the three tracks are as loud as each other",
    "master.loudness": "of the automatic gain",
    "preset.recall": "the set is one of controls by their names",
    "preset.at": "of presets",
    "phones.volume": "of the headphones alone",
    "phones.mix": "of the headphones alone",
    "phones.split": "of the headphones alone",
    "clock.tempo": "for a clock without decks",
    "clock.tap": "for a clock without decks",
    "clock.align": "for a clock without decks",
    "clock.beats_per_bar": "four, as rests",
    "clock.bars_per_phrase": "eight, as rests",
    "clock.midi_in": "of other machines",
    "clock.midi_out": "of other machines",
    "clock.link": "of other machines",
    "browse.position": "of a surface's list",
    "browse.selected": "of a surface's list",
    "session.lock": "protects a set",
    "session.focus": "of a surface for one deck",
    "session.shift": "of a surface's buttons",
}
ELSEWHERE = {"effects", "sampler", "recorder"}  # the set is one of decks and stems


def parsed() -> Script:
    return parse_script(script_path().read_text())


def kind_of(path: str) -> str:
    """Return a control's name without its numbers, and without the stem's."""
    stemless = re.sub(rf"(stem|stem_fader)\.({'|'.join(STEMS)})\b", r"\1", path)
    return re.sub(r"\d+", "", stemless)


def test_every_control_of_a_performer_is_used_or_has_a_reason_not_to_be() -> None:
    used = {kind_of(event.path) for event in parsed().events if event.verb in {"set", "press"}}
    there = {
        kind_of(path)
        for path, control in CONTROLS.items()
        if not control.planned and control.group not in ELSEWHERE
        if isinstance(control, Button) or control.settable
    }
    assert there - used - UNUSED.keys() == set()
    assert UNUSED.keys() - (there - used) == set()  # no reason is left over


def test_the_set_is_about_ten_minutes_long_and_has_a_caption_in_each_of_them() -> None:
    script = parsed()
    assert 540.0 < script.end_s < 660.0
    marks = [event.time_s for event in script.events if event.verb == "mark"]
    assert np.diff([*sorted(marks), script.end_s]).max() < 40.0


def test_a_deck_is_stopped_a_second_before_it_is_loaded() -> None:
    # Played live, a load is sent a third of a second before its time.
    events = parsed().events
    for load in (event for event in events if event.verb == "load" and event.time_s > 0.0):
        stops = (f"deck{load.deck}.play", f"deck{load.deck}.brake", f"deck{load.deck}.spinback")
        last = max(e.time_s for e in events if e.path in stops and e.time_s <= load.time_s)
        assert load.time_s - last > 1.0


def test_a_held_button_is_released() -> None:
    held = {
        event.path: event.value  # the last one counts
        for event in parsed().events
        if event.verb == "press" and CONTROLS[event.path].held
    }
    # A hot cue is held under slip only.
    assert {path for path, down in held.items() if down} <= {
        f"deck1.hotcue{number}.press" for number in (9, 12)
    }


def test_a_track_that_the_set_has_not_is_refused() -> None:
    with pytest.raises(Refused, match='no track "Slow Gold"'):
        long_script(script_path().read_text(), {"Copper Rain": Path("x")})


def test_the_script_is_in_the_wheel() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '"share/sfa/examples" = ["docs/examples/*.mix"]' in project
    assert script_path().name == "long-demo.mix"


def quick_track(folder: Path, name: str) -> Path:
    """Write what stands in for a groove: the same length, beats and key, and a click on beats."""
    piece = PIECES[name]
    beat = 60.0 / piece.bpm * RATE
    frames = round((piece.lead_in_s + 2.0) * RATE + piece.bars * 4 * beat)
    rng = np.random.default_rng(1)
    stems = {}
    for stem in ("vocals", "bass", "other"):
        tone = np.sin(np.arange(frames) * (0.02 + 0.01 * len(stems))) * 0.05
        stems[stem] = np.stack([tone, tone], axis=1).astype(np.float32)
    drums = np.zeros((frames, 2), np.float32)
    hit = (rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300.0) * 0.3).astype(np.float32)
    for k in range(piece.bars * 4):
        at = round(piece.lead_in_s * RATE + k * beat)
        drums[at : at + 2000] += hit[:, None]
    stems["drums"] = drums
    return write_bundle_arrays(
        folder / f"{name}.sfa", stems, title=piece.title, artist="", bpm=piece.bpm,
        first_beat_s=piece.lead_in_s, key=piece.key,
    )  # fmt: skip


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("quick")
    return {PIECES[name].title: quick_track(folder, name) for name in GROOVES}


def shortened(script: Script, end_s: float) -> Script:
    return Script(tuple(event for event in script.events if event.time_s <= end_s), end_s)


@pytest.mark.slow
def test_the_first_minute_renders_and_can_be_drawn(quick, tmp_path) -> None:
    script = shortened(long_script(script_path().read_text(), quick), FIRST_S)
    watch = Watch()
    audio = np.concatenate(list(perform(script, RATE, watch=watch)))
    assert len(audio) == FIRST_S * RATE
    assert 0.05 < np.abs(audio).max() < 0.9
    curves = watch.curves()
    assert len(curves["time"]) == pytest.approx(10 * FIRST_S, abs=2)
    assert np.nanmedian(curves["1.tempo"]) == pytest.approx(120.0, abs=1e-6)
    assert not curves["2.playing"].any()
    assert [(deck, title) for _, deck, title in watch.titles] == [
        (1, "Copper Rain"),
        (2, "Slow Gold"),
    ]
    marks = [(event.time_s, event.path) for event in script.events if event.verb == "mark"]
    draw_set(tmp_path / "set.png", audio, RATE, curves, watch.titles, marks, "A set")
    assert imread(tmp_path / "set.png").shape[:2] == SIZE_PIXELS[::-1]


# Where the set is silent on purpose: between the kicks of its fades, and before the second part.
MEANT_SILENCE_S = ((0.0, 16.0), (239.0, 240.1), (560.0, 700.0))
BLENDS_S = ((80.5, 109.9), (144.5, 191.9), (270.5, 299.9), (323.0, 358.0), (410.0, 420.0),
            (435.5, 463.5), (465.5, 494.9))  # fmt: skip
MEAN_S = 0.05


@pytest.mark.nightly
def test_the_whole_set_is_in_time_and_neither_clips_nor_falls_silent(tmp_path) -> None:
    tracks = {}
    for name in GROOVES:
        groove = render_groove(name)
        tracks[groove.title] = write_bundle_arrays(
            tmp_path / f"{name}.sfa", groove.stems, title=groove.title, artist="",
            bpm=groove.bpm, first_beat_s=groove.first_beat_s, key=groove.key,
        )  # fmt: skip
    script = long_script(script_path().read_text(), tracks)
    watch = Watch()
    audio = np.concatenate(list(perform(script, RATE, watch=watch)))
    assert len(audio) == round(script.end_s * RATE)
    assert np.abs(audio).max() < 10 ** (-1.0 / 20)  # the limiter's ceiling
    curves = watch.curves()
    assert curves["reduction"].min() > -3.0
    assert np.mean(curves["reduction"] < -1.0) < 0.01

    width = round(MEAN_S * RATE)
    count = len(audio) // width
    power = (audio[: count * width].astype(np.float64) ** 2).reshape(count, -1).mean(axis=1)
    silent_s = np.flatnonzero(power < 10 ** (-50 / 10)) * MEAN_S
    for begin_s, end_s in MEANT_SILENCE_S:
        silent_s = silent_s[(silent_s < begin_s) | (silent_s > end_s)]
    assert list(silent_s) == []

    both = (curves["1.playing"] > 0) & (curves["2.playing"] > 0)
    for begin_s, end_s in BLENDS_S:
        here = (curves["time"] > begin_s) & (curves["time"] < end_s)
        assert both[here].all()
        for deck in (1, 2):
            assert np.abs(curves[f"{deck}.phase_error"][here]).max() < 1e-3


def test_a_time_is_written_in_minutes() -> None:
    assert [clock(s) for s in (0.0, 59.9, 60.0, 605.0)] == ["0:00", "0:59", "1:00", "10:05"]
