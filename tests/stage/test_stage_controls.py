"""What the stage owns is set, read and heard like what the engine owns."""

from __future__ import annotations

import numpy as np
import pytest
import trio

from sfa_engine.desk import CONTROLS, Button, Text
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Source
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Planned, Refused
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.track.grid import Anchor, Grid

HERE, THERE = 1001, 1002
OWNED = [
    p
    for p, c in CONTROLS.items()
    if c.owner == "stage" and not (c.planned or isinstance(c, Button))
]


@pytest.fixture
def memory():
    return Memory.anonymous()


@pytest.fixture
def conductor(memory):
    return Conductor(memory)


@pytest.fixture
def heard(conductor):
    changes = []
    conductor.listen(lambda path, value, source: changes.append((path, value, source)))
    return changes


def test_what_the_stage_owns_is_at_rest_in_a_new_stage(conductor):
    for path in OWNED:
        rest = "" if isinstance(CONTROLS[path], Text) else CONTROLS[path].scale.rest
        assert conductor.get(path) == rest, path
    assert conductor.get("session.lock") == 1
    assert conductor.get("deck1.hotcue_bank") == 1


def test_a_value_is_checked_by_the_desk_held_and_notified_with_its_source(conductor, heard):
    done = conductor.set_nowait("session.focus", "deck2", HERE)
    assert (done.value, done.text, done.ticket, done.seq) == (1.0, "deck2", 0, None)
    assert conductor.get("session.focus") == 1.0
    assert heard == [("session.focus", 1.0, HERE)]
    with pytest.raises(Refused, match=r"session\.focus"):
        conductor.set_nowait("session.focus", "deck9", HERE)


def test_the_same_value_again_is_no_news(conductor, heard):
    for _ in range(2):
        conductor.set_nowait("session.shift", True, HERE)
    assert heard == [("session.shift", 1.0, HERE)]


def test_nothing_of_it_is_sent_to_the_engine(conductor, memory):
    before = memory.engine["rings"]["head"].tolist()
    conductor.set_nowait("deck1.hotcue_bank", 4)
    conductor.set_nowait("browse.position", 16)
    assert memory.engine["rings"]["head"].tolist() == before


async def test_it_is_done_at_once_though_there_is_no_engine(conductor):
    done = await conductor.set("session.lock", "on", HERE, wait=True)
    assert done.text == "on"


def test_it_has_no_moments(conductor):
    with pytest.raises(Refused, match=r"session\.shift changes at once"):
        conductor.set_nowait("session.shift", True, when="bar")


def test_readings_and_texts_cannot_be_set(conductor):
    for path in ("deck1.title", "session.locked", "browse.length", "browse.row1.title"):
        with pytest.raises(Refused, match="is a reading and cannot be set"):
            conductor.set_nowait(path, 1)


def test_what_is_planned_stays_refused(conductor, planned):
    with pytest.raises(Planned):
        conductor.get(planned)


def test_the_texts_of_a_track_are_shown_and_go_with_it(conductor, heard):
    track = {"title": "Slow Gold", "artist": "Ines Marrow", "album": "", "key": None}
    conductor.stage.show_track(1, track, 124.0)
    assert heard == [
        ("deck1.title", "Slow Gold", Source.STAGE),
        ("deck1.artist", "Ines Marrow", Source.STAGE),
        ("deck1.bpm", 124.0, Source.STAGE),
    ]
    heard.clear()
    conductor.stage.show_track(1, track, 124.0)
    assert heard == []
    conductor.stage.show_track(1, {}, None)
    assert heard == [
        ("deck1.title", "", Source.STAGE),
        ("deck1.artist", "", Source.STAGE),
        ("deck1.bpm", NOT_SET, Source.STAGE),
    ]


def test_values_have_texts_and_what_is_derived_too(conductor):
    conductor.stage.show_track(2, {"title": "Tincture"}, 120.0)
    values = conductor.values()
    assert values["deck2.title"] == "Tincture"
    assert values["deck2.bpm"] == 120.0
    assert values["deck1.tempo_fader"] == 0.0
    assert values["session.lock"] == 1.0
    assert "session.locked" not in values
    assert "deck1.level" not in values


# ---------------------------------------------------------------- derived


def rate(memory):
    return memory.value("deck1.rate")


@pytest.fixture
def kernel():
    kernel = Offline()
    kernel.render(64)
    return kernel


@pytest.fixture
def played(kernel):
    return Conductor(kernel.memory)


def test_the_tempo_fader_sets_the_rate_within_its_range(kernel, played):
    done = played.set_nowait("deck1.tempo_fader", 50, HERE)
    assert (done.value, done.text) == (50.0, "50.0 %")
    assert done.ticket
    kernel.render(64)
    played.pump()
    assert rate(kernel.memory) == played.get("deck1.rate") == 1.04
    assert played.get("deck1.tempo_fader") == 50.0
    played.set_nowait("deck1.rate_range", "16%")
    assert played.get("deck1.tempo_fader") == 25.0
    assert played.get("deck1.rate") == 1.04


def test_the_source_of_a_fader_is_notified_of_the_rate_and_others_of_both(kernel, played):
    played.stage.show_track(1, {}, 100.0)
    changes = []
    played.listen(lambda *change: changes.append(change))
    played.set_nowait("deck1.tempo_fader", 100, HERE)
    kernel.render(64)
    played.pump()
    assert sorted(changes) == [
        ("deck1.bpm", 108.0, Source.STAGE),
        ("deck1.rate", 1.08, Source.STAGE),
        ("deck1.tempo_fader", 100.0, HERE),
    ]


def test_whoever_moves_the_rate_moves_the_fader_and_the_tempo(kernel, played):
    played.stage.show_track(1, {}, 100.0)
    changes = []
    played.listen(lambda *change: changes.append(change))
    played.set_nowait("deck1.rate", 1.02, THERE)
    kernel.render(64)
    played.pump()
    assert changes == [
        ("deck1.rate", 1.02, THERE),
        ("deck1.tempo_fader", 25.0, Source.STAGE),
        ("deck1.bpm", 102.0, Source.STAGE),
    ]


def test_a_tempo_in_bpm_sets_the_rate_that_gives_it(kernel, played):
    played.stage.show_track(1, {}, 125.0)
    done = played.set_nowait("deck1.bpm", "130 BPM", HERE)
    assert done.text == "130.00 BPM"
    kernel.render(64)
    played.pump()
    assert rate(kernel.memory) == 130.0 / 125.0
    assert played.get("deck1.bpm") == 130.0


def test_a_tempo_without_a_grid_is_refused_by_name(played):
    with pytest.raises(Refused, match=r"deck1\.bpm: the track has no beat grid"):
        played.set_nowait("deck1.bpm", 130)
    played.stage.show_track(1, {}, 125.0)
    with pytest.raises(Refused, match=r"deck1\.bpm: 1000 BPM is out of range for this track"):
        played.set_nowait("deck1.bpm", 1000)
    with pytest.raises(Refused, match=r"deck1\.bpm: no tempo"):
        played.set_nowait("deck1.bpm", None)


def test_a_moment_of_the_tempo_fader_is_one_of_the_rate(kernel, played):
    played.set_nowait("deck1.tempo_fader", 100, HERE, when=6400)
    assert played.get("deck1.tempo_fader") == 0.0
    kernel.render(6400)
    played.pump()
    assert played.get("deck1.tempo_fader") == 100.0


async def test_a_wait_is_answered_in_the_unit_of_what_was_set(kernel, played):
    async def play():
        while True:
            kernel.render(64)
            played.pump()
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        done = await played.set("deck1.tempo_fader", -50, HERE, wait=True)
        nursery.cancel_scope.cancel()
    assert (done.value, done.text) == (-50.0, "-50.0 %")
    assert done.frame is not None


def test_sync_moves_the_fader_and_the_tempo(kernel, played):
    for deck, tempo in enumerate((126.0, 120.0)):
        grid = Grid((Anchor(0.0, 0.0),), tempo)
        kernel.load(deck, {"mix": np.zeros((48_000, 2), np.int16)}, rate=48_000, grid=grid)
        played.stage.show_track(deck + 1, {}, tempo)
    changes = {}
    played.listen(lambda path, value, _: changes.__setitem__(path, value))
    played.set_nowait("deck1.play", True)
    played.set_nowait("deck2.sync", "tempo")
    kernel.render(6400)
    played.pump()
    assert changes["deck2.rate"] == pytest.approx(1.05)
    assert changes["deck2.tempo_fader"] == pytest.approx(62.5)  # of 8 %
    assert changes["deck2.bpm"] == pytest.approx(126.0)
