"""Every control has its OSC addresses, and its values survive the way there and back."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_packet import OscPacket

from sfa_engine.desk import CONTROLS, Button, Choice, Meter, Switch, Text
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.errors import Planned, Refused
from sfa_engine.surfaces.osc import address
from sfa_engine.surfaces.osc.address import (
    ALIASES,
    TARGETS,
    TRAVEL_SENDERS,
    UNIT_SENDERS,
    address_of,
    message,
    path_of,
    press_of,
    refusal,
    value_of,
)

BUILT = {path: control for path, control in CONTROLS.items() if not control.planned}
SETTABLE = [c for c in BUILT.values() if c.settable and not isinstance(c, Text)]
BUTTONS = [control for control in BUILT.values() if isinstance(control, Button)]


def arguments_of(packet):
    (only,) = OscPacket(packet).messages
    return only.message.address, list(only.message)


def target(path, *, travel=False):
    return TARGETS[address_of(path, travel=travel).encode()]


def test_every_control_that_is_built_has_an_address_of_its_own():
    assert {t.path for t in TARGETS.values()} == set(BUILT)
    for path in BUILT:
        assert path_of(address_of(path)) == path
        assert path_of(address_of(path, travel=True)) == path


def test_every_value_and_text_can_be_sent():
    assert set(UNIT_SENDERS) == {p for p, c in BUILT.items() if not isinstance(c, Button)}
    for path, control in BUILT.items():
        is_number = control.settable and not isinstance(control, Text)
        if is_number or path == "master.level":
            assert path in TRAVEL_SENDERS
    assert not {"clock.beat", "deck1.underruns", "deck1.title"} & set(TRAVEL_SENDERS)


def test_faders_are_continuous_and_buttons_switches_and_choices_are_not():
    for found in TARGETS.values():
        is_kept = isinstance(CONTROLS[found.path], Button | Switch | Choice | Meter)
        assert (found.address.encode() in address.CONTINUOUS) is not is_kept


def values(control):
    """Return a strategy of a control's values."""
    scale = control.scale
    if scale.whole:
        return st.integers(int(scale.low), int(scale.high)).map(float)
    return st.floats(scale.low, scale.high)


@given(st.sampled_from(SETTABLE).flatmap(lambda c: st.tuples(st.just(c), values(c))))
def test_a_value_comes_back_as_exact_as_a_float_of_32_bits(pair):
    control, value = pair
    told, arguments = arguments_of(UNIT_SENDERS[control.path].message(value))
    assert told == address_of(control.path)
    back = value_of(target(control.path), arguments)
    assert math.isclose(back, value, rel_tol=2**-22, abs_tol=1e-30)


@given(st.sampled_from(SETTABLE).flatmap(lambda c: st.tuples(st.just(c), values(c))))
def test_a_travel_comes_back_as_exact_as_a_float_of_32_bits(pair):
    control, value = pair
    if isinstance(control, Button):
        return
    told, arguments = arguments_of(TRAVEL_SENDERS[control.path].message(value))
    assert told == "/n" + address_of(control.path)
    assert 0.0 <= arguments[0] <= 1.0
    back = value_of(target(control.path, travel=True), arguments)
    scale = control.scale
    assert math.isclose(scale.travel(back), scale.travel(value), abs_tol=2**-22)


def test_both_ends_of_every_range_can_be_set():
    for control in SETTABLE:
        path, scale = control.path, control.scale
        for end in (scale.low, scale.high):
            (rounded,) = struct.unpack(">f", struct.pack(">f", end))
            value = value_of(target(path), [rounded])
            assert math.isclose(value, end, rel_tol=1e-7), path
            assert value_of(target(path), [float(end)]) == end, path
        for travel in (0, 1):
            assert value_of(target(path, travel=True), [travel]) == scale.value(travel), path


def test_a_text_that_may_be_set_is_a_string_and_no_number():
    label, color = target("deck1.hotcue1.label"), target("deck1.hotcue1.color")
    assert (label.kind, target("deck1.title").kind) == ("value", "reading")
    assert value_of(label, ["The  drop"]) == "The drop"
    assert value_of(color, ["#FF8800"]) == "#ff8800"
    for wrong in (label, [1.0]), (color, ["red"]), (label, []), (label, ["a", "b"]):
        with pytest.raises(Refused):
            value_of(*wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 10**400])
@pytest.mark.parametrize("control", [*SETTABLE[:4], *BUTTONS[:2]], ids=lambda c: c.path)
def test_what_is_not_finite_reaches_no_control(control, value):
    if isinstance(control, Button):
        with pytest.raises(Refused):
            press_of(target(control.path), [value])
        return
    for travel in (False, True):
        with pytest.raises(Refused):
            value_of(target(control.path, travel=travel), [value])


@pytest.mark.parametrize("given", [[], [1, 2], [b"x"], [None], [[1]], ["loud"]])
def test_what_is_no_value_is_refused(given):
    with pytest.raises(Refused):
        value_of(target("crossfader"), given)


def test_words_are_understood():
    assert value_of(target("crossfader_curve"), ["power"]) == 1.0
    assert value_of(target("crossfader_curve"), [2]) == 2.0
    assert value_of(target("deck1.play"), ["on"]) == 1.0
    assert value_of(target("deck1.play"), [True]) == 1.0
    assert value_of(target("deck1.stem.vocals.volume"), ["off"]) == -60.0


def test_a_position_that_is_not_set_is_nil():
    sender = UNIT_SENDERS["deck1.loop.start"]
    assert arguments_of(sender.message(NOT_SET)) == ("/deck1/loop/start", [None])
    assert value_of(target("deck1.loop.start"), [None]) == NOT_SET
    assert TRAVEL_SENDERS["deck1.loop.start"].message(NOT_SET) == b""


def test_every_button_is_pressed_by_anything_but_zero():
    for control in BUTTONS:
        found = target(control.path)
        assert press_of(found, []) == control.scale.rest, control.path
        assert press_of(found, [1.0]) == 1.0, control.path
        assert press_of(found, [True]) == 1.0, control.path
        assert press_of(found, [0]) == (0.0 if control.held else None), control.path
        if not control.range_text():
            assert press_of(found, [0.3]) == 1.0, control.path


def test_a_button_with_a_number_takes_it():
    assert press_of(target("deck1.jump"), [-16]) == -16
    with pytest.raises(Refused, match="out of range"):
        press_of(target("deck1.jump"), [1000])


def test_stems_by_number_are_those_of_the_focused_deck():
    for index, aliases in enumerate(ALIASES):
        deck = f"deck{index + 1}"
        stems = ("vocals", "drums", "bass", "other", "guitar", "piano")
        for number, stem in enumerate(stems, 1):
            found = aliases[f"/stem/{number}/volume".encode()]
            assert found.path == f"{deck}.stem.{stem}.volume"
            assert found.is_travel
            assert aliases[f"/stem/{number}/mute".encode()].path == f"{deck}.stem.{stem}.mute"
        assert aliases[b"/bpm"].path == f"{deck}.bpm"
        assert aliases[b"/track/title"].kind == "reading"


@pytest.mark.parametrize("wrong", ["/stem/7/volume", "/stem/8/mute", "/stem/x"])
def test_a_stem_that_is_none_is_refused(wrong):
    assert "stems 1 to 6 are vocals" in str(refusal(wrong))


def test_an_unknown_address_is_refused_with_the_nearest():
    assert "deck1.stem.vocals.volume" in str(refusal("/deck1/stem/vocal/volume"))
    assert "no travel" in str(refusal("/n/deck1/cue"))


def test_what_is_planned_is_refused_by_its_own_code(planned):
    assert isinstance(refusal(f"/{planned.replace('.', '/')}"), Planned)


@given(
    st.lists(
        st.floats(width=32) | st.integers(-(2**63), 2**63 - 1) | st.text() | st.none(),
        max_size=8,
    )
)
def test_messages_are_what_python_osc_reads(given):
    given = [v.replace("\0", "") if isinstance(v, str) else v for v in given]
    _, back = arguments_of(message("/x", *given))
    assert len(back) == len(given)
    for mine, its in zip(given, back, strict=True):
        is_nan = isinstance(mine, float) and math.isnan(mine)
        assert math.isnan(its) if is_nan else mine == its
