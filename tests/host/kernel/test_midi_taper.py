"""The compiled tapers and the desk's scales are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_player import MidiPlayer, binding

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import Op
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import VALUE_PATHS
from sfa_engine.engine.midi import Kind, Taper
from sfa_engine.host.kernel.midi_taper import travel_at, value_at

SCALES = list(dict.fromkeys(CONTROLS[path].scale for path in VALUE_PATHS))
PLAIN = (value_at.py_func, travel_at.py_func)  # the source that is compiled


def close(value, scale):
    return pytest.approx(value, rel=1e-9, abs=1e-9 * (scale.high - scale.low))


@given(st.sampled_from(SCALES), st.floats(-0.5, 1.5))
def test_a_travel_is_the_same_value(scale, travel):
    taper = Taper[scale.taper.upper()]
    found = PLAIN[0](taper, int(scale.whole), scale.low, scale.high, travel)
    assert found == close(scale.value(travel), scale)


@given(st.sampled_from(SCALES), st.floats(0.0, 1.0))
def test_a_value_is_the_same_travel(scale, travel):
    taper = Taper[scale.taper.upper()]
    value = scale.value(travel)
    found = PLAIN[1](taper, scale.low, scale.high, value)
    assert found == pytest.approx(scale.travel(value), abs=1e-9)


def one_of_each():
    """Return a control of each taper, and one of whole numbers."""
    found = {}
    for path in VALUE_PATHS:
        scale = CONTROLS[path].scale
        if OPERATIONS[path].op == Op.SET:
            found.setdefault((scale.taper, scale.whole), path)
    return list(found.values())


@pytest.mark.parametrize("path", one_of_each())
def test_machine_code_agrees_at_each_number_of_a_control_change(path):
    scale = CONTROLS[path].scale
    player = MidiPlayer(binding(path, Kind.CONTROL, 7))
    for number in range(128):
        player.play([0xB0, 7, number])
    assert player.sets() == [close(scale.value(number / 127), scale) for number in range(128)]
