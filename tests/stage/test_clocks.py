"""What the stage says of the session's clock and its sources."""

import pytest

from sfa_engine.desk import DECKS
from sfa_engine.engine.command import ClockSource
from sfa_engine.engine.layout import READING_INDEX, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Refused
from sfa_engine.stage.clocks import describe_clocks
from sfa_engine.stage.conductor import Conductor

RATE = 48_000


@pytest.fixture
def conductor():
    memory = Memory.anonymous()
    memory.engine["sample_rate"] = RATE
    return Conductor(memory)


def read(conductor, **readings):
    for path, value in readings.items():
        index = READING_INDEX[f"clock.{path}"]
        conductor.memory.engine["snapshots"]["flat"][:, index] = value


def row(conductor, name):
    return next(r for r in describe_clocks(conductor)["sources"] if r["name"] == name)


def test_every_source_has_a_row(conductor):
    told = describe_clocks(conductor)
    names = [source["name"] for source in told["sources"]]
    assert names == ["internal", "deck1", "deck2", "leader", "midi", "link"]
    assert told["source"] == "internal"
    assert told["followed"] is None


def test_the_leader_has_the_tempo_of_its_deck(conductor):
    assert row(conductor, "leader")["note"] == "no deck leads"
    conductor.memory.engine["lead"] = 2
    conductor.memory.engine["snapshots"]["flat"][:, READING_INDEX["deck2.tempo"]] = 123.5
    assert row(conductor, "leader") == {
        "name": "leader", "tempo": 123.5, "jitter_ms": None, "locked": True, "note": "deck2",
    }  # fmt: skip


def test_a_source_that_is_switched_off_says_so(conductor):
    assert row(conductor, "midi")["note"] == "clock.midi_in is off"
    assert row(conductor, "link")["note"] == "clock.link is off"


def test_a_port_that_sends_clock_has_its_tempo_jitter_and_name(conductor):
    engine = conductor.memory.engine
    engine["flat"][VALUE_INDEX["clock.midi_in"]] = 1.0
    port, heard = engine["midi"]["slots"][3], engine["midi_clock"][3]
    port["open"] = port["clock_in"] = 1
    port["name"] = b"TR-8S"
    heard["period"], heard["jitter"], heard["locked"], heard["elected"] = 1000.0, 24.0, 1, 1
    heard["missing"] = 2
    assert row(conductor, "midi") == {
        "name": "midi", "tempo": 120.0, "jitter_ms": 0.5, "locked": True,
        "note": "TR-8S, 2 missing",
    }  # fmt: skip
    engine["clock_followed"] = ClockSource.MIDI
    assert row(conductor, "midi")["note"] == "TR-8S, followed, 2 missing"


def test_what_is_followed_and_by_whom(conductor):
    engine = conductor.memory.engine
    engine["flat"][VALUE_INDEX["clock.source"]] = ClockSource.MIDI
    engine["clock_followed"] = ClockSource.MIDI
    engine["transport"][1]["following"] = DECKS + 1
    engine["clock_downbeat"] = 2
    read(conductor, locked=1.0, current=120.0, beat=12.5, phase_error=-0.01)
    told = describe_clocks(conductor)
    assert (told["source"], told["followed"], told["decks"]) == ("midi", "midi", [2])
    assert told["phase_error_ms"] == pytest.approx(-5.0)
    assert (told["bar"], told["beat_of_bar"]) == (3, pytest.approx(3.5))


def test_a_surface_may_refuse_a_value_before_it_is_put(conductor):
    def refuse(value):
        if value:
            raise Refused("not now")

    conductor.stage.checks["clock.link"] = refuse
    with pytest.raises(Refused, match="not now"):
        conductor.set_nowait("clock.link", True)
    assert conductor.get("clock.link") == 0.0
    conductor.set_nowait("clock.link", False)
