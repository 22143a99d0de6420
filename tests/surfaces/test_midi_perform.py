"""What bindings ask of the stage: switches, choices, lists and loads."""

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import EventKind
from sfa_engine.engine.midi_rings import Event
from sfa_engine.stage.conductor import Conductor
from sfa_engine.surfaces.midi.controllers import Controller
from sfa_engine.surfaces.midi.device import Device
from sfa_engine.surfaces.midi.perform import Performer
from sfa_engine.surfaces.midi.table import Compiled, StageAction


@pytest.fixture
def conductor():
    return Conductor(Memory.anonymous())


def act(conductor, kind, path, *places, value=1.0, step=0.0):
    """Do an action at some places, one after another; return where its control stands then."""
    action = StageAction(kind, path, value, 0.0, 0.0, 1.0, step, "knob", True)
    compiled = Compiled([], [], (action,), ("knob",), ())
    controller = Controller(3, Device("Pad", "Pad", "i", "o"), "Pad", compiled=compiled)
    for x in places:
        event = Event(EventKind.STAGE, 3, 0, False, 0, x, 0, b"")
        Performer(conductor).take(controller, event)
        # One that a profile had which was replaced meanwhile.
        Performer(conductor).take(controller, event._replace(number=7))
    return conductor.get(path) if "load" not in path else None


def test_a_list_is_turned_through_by_entries_and_ends_where_it_ends(conductor):
    conductor.stage.put("browse.length", 5.0)
    assert act(conductor, "set", "browse.selected", 1.0, 2.0, step=1e-6) == 3.0
    assert act(conductor, "set", "browse.selected", 9.0, step=1e-6) == 4.0
    assert act(conductor, "set", "browse.selected", -20.0, step=1e-6) == 0.0


def test_a_bank_is_cycled_through_from_its_first_and_turned_both_ways(conductor):
    path = "deck1.hotcue_bank"
    assert [act(conductor, "cycle", path, 0.8, 0.0) for _ in range(4)] == [2, 3, 4, 1]
    assert act(conductor, "cycle", path, -1.0) == 4
    assert act(conductor, "cycle", "session.lock", 1.0, 1.0) == 0


def test_a_fader_goes_over_the_whole_of_a_choice(conductor):
    assert [act(conductor, "set", "session.lock", x) for x in (0.0, 0.5, 1.0)] == [0, 1, 2]


def test_a_press_sets_and_a_release_does_nothing_but_of_what_is_held(conductor):
    assert act(conductor, "press", "session.lock", 1.0, 0.0, value=2.0) == 2.0
    assert act(conductor, "hold", "session.shift", 1.0) == 1.0
    assert act(conductor, "hold", "session.shift", 0.0) == 0.0
    assert act(conductor, "toggle", "session.shift", 1.0, 0.0) == 1.0


def test_a_button_steps_a_list_to_its_end_and_a_bank_to_its_last(conductor):
    conductor.stage.put("browse.length", 3.0)
    down = [act(conductor, "step", "browse.selected", 1.0, 0.0, value=1.0) for _ in range(3)]
    assert down == [1, 2, 2]
    assert act(conductor, "step", "browse.selected", 1.0, value=-5.0) == 0.0
    assert act(conductor, "step", "deck1.hotcue_bank", 1.0, value=9.0) == 4.0


def test_a_load_presses_the_button_of_the_deck(conductor):
    loaded = []
    conductor.on_press("deck2.load_selected", loaded.append)
    act(conductor, "load", "deck2.load", 1.0, 0.0)
    assert loaded == [1.0], "pressed once, and nothing on release"


def test_what_is_refused_leaves_everything_as_it_was(conductor):
    assert act(conductor, "set", "deck1.bpm", 0.5) == conductor.get("deck1.bpm")
    assert act(conductor, "set", "deck1.bpm", 3.0, step=0.01) == conductor.get("deck1.bpm")


def test_a_button_for_an_option_puts_it_off_at_its_next_press(conductor):
    assert act(conductor, "toggle", "session.lock", 1.0, 0.0, value=2.0) == 2.0
    assert act(conductor, "toggle", "session.lock", 1.0, 0.0, value=2.0) == 0.0
