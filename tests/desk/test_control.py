"""Controls and sections: how a declaration becomes a tree with paths."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfa_engine.desk import CONTROLS, Button, Choice, Each, Fader, Meter, Section, Switch
from sfa_engine.desk.control import MAX_NAME, Name
from sfa_engine.desk.scale import count, decibels, percent
from sfa_engine.errors import Refused

controls = st.sampled_from([c for c in CONTROLS.values() if not isinstance(c, Name)])


class Lamp(Section):
    """A light."""

    on = Switch("Whether it shines.")
    colour = Choice("What it looks like.", options=("red", "green"), rest="green")


class Room(Section):
    """Lamps, and a window."""

    blind = Fader("How far the blind is down.", percent(0, 100))
    lamp = Each((1, 2), Lamp)
    corner = Each(("left", "right"), Lamp)
    exit = Lamp()
    bell = Button("Rings.")
    light = Meter("How bright it is.", percent(0, 100))


# ---------------------------------------------------------------- sections


def test_a_section_names_its_controls_in_the_order_of_the_declaration():
    assert [control.path for control in Room().controls()] == [
        "blind",
        "lamp1.on",
        "lamp1.colour",
        "lamp2.on",
        "lamp2.colour",
        "corner.left.on",
        "corner.left.colour",
        "corner.right.on",
        "corner.right.colour",
        "exit.on",
        "exit.colour",
        "bell",
        "light",
    ]


def test_a_section_below_another_carries_its_path():
    assert Room("house").corner["left"].on.path == "house.corner.left.on"
    assert Room("house").lamp[2].on.path == "house.lamp2.on"
    assert Room("house").lamp[2].path == "house.lamp2"


def test_two_desks_of_one_class_do_not_share_paths():
    one, other = Room("one"), Room("other")
    assert one.blind.path == "one.blind"
    assert other.blind.path == "other.blind"
    assert Room.blind.path == ""


def test_the_same_section_several_times_is_a_mapping_by_key():
    lamps = Room().lamp
    assert list(lamps) == [1, 2]
    assert len(lamps) == 2
    with pytest.raises(KeyError):
        lamps[3]


def test_a_name_of_a_section_keeps_everything_but_the_path():
    declared, bound = Lamp.colour, Lamp("lamp").colour
    assert bound.options == declared.options
    assert bound.scale == declared.scale
    assert bound.sentence == declared.sentence


def test_a_control_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Lamp.on.path = "elsewhere"


# ---------------------------------------------------------------- values


@given(controls)
def test_text_of_a_control_at_rest_is_read_back(control):
    rest = control.scale.rest
    assert math.isclose(control.parse(control.text(rest)), rest, abs_tol=1e-3)


@given(controls, st.sampled_from([math.nan, math.inf, -math.inf, 1e300, None, b"", [], {}]))
def test_a_refusal_names_the_control(control, value):
    assume(value is not None or not control.scale.optional)
    with pytest.raises(Refused) as caught:
        control.check(value)
    assert caught.value.message.startswith(f"{control.path}: ")
    assert caught.value.hint


@given(controls, st.text())
def test_a_text_is_taken_as_it_is_read_or_refused_by_name(control, text):
    try:
        value = control.parse(text)
    except Refused as refusal:
        with pytest.raises(Refused, match=re.escape(f"{control.path}: {refusal.message}")):
            control.check(text)
    else:
        assert control.check(text) == value


NAMES = [c for c in CONTROLS.values() if isinstance(c, Name)]


@given(st.sampled_from(NAMES), st.sampled_from([math.nan, 1, None, b"", True, [], "\ud800" * 8]))
def test_a_text_that_may_be_set_refuses_what_is_none_by_name(control, value):
    with pytest.raises(Refused) as caught:
        control.check(value)
    assert caught.value.message.startswith(f"{control.path}: ")
    assert caught.value.hint


@given(st.text(st.characters(codec="utf-8"), max_size=MAX_NAME))
def test_a_name_is_kept_on_one_line(text):
    control = CONTROLS["deck1.hotcue1.label"]
    kept = control.check(text)
    assert kept.split() == text.split()
    assert kept == control.check(kept)
    assert not set(kept) & set("\n\r\t\v")


def test_a_name_has_a_longest_length():
    with pytest.raises(Refused, match="give a text of up to 200 characters"):
        CONTROLS["deck1.hotcue1.label"].check("x" * 201)


@pytest.mark.parametrize(
    ("word", "color"), [("#FF8800", "#ff8800"), (" #00ff7f ", "#00ff7f"), ("", "")]
)
def test_a_colour_is_six_hexadecimal_digits_or_none(word, color):
    assert CONTROLS["deck1.hotcue1.color"].check(word) == color


@pytest.mark.parametrize("word", ["red", "#f80", "#gg0000", "ff8800", "#ff88000"])
def test_another_colour_is_refused(word):
    with pytest.raises(Refused, match=r'not a colour; write it like "#ff8800"'):
        CONTROLS["deck1.hotcue1.color"].check(word)


@pytest.mark.parametrize(("word", "value"), [("on", 1), (" OFF ", 0), ("true", 1), ("0", 0)])
def test_a_switch_understands_words(word, value):
    assert Lamp.on.check(word) == value


def test_a_switch_takes_a_boolean_and_nothing_in_between():
    assert Lamp.on.check(True) == 1.0
    assert Lamp.on.check(0) == 0.0
    with pytest.raises(Refused, match=r"0\.5 is not a whole number"):
        Lamp.on.check(0.5)
    with pytest.raises(Refused, match='"perhaps" is neither on nor off; say on or off'):
        Lamp.on.check("perhaps")


def test_nothing_but_a_switch_takes_a_boolean():
    for control in CONTROLS.values():
        if not isinstance(control, Switch | Name):
            with pytest.raises(Refused, match="True is not a number"):
                control.check(True)


def test_a_choice_is_a_word_and_its_index():
    assert Lamp.colour.scale.rest == 1
    assert Lamp.colour.check("red") == 0
    assert Lamp.colour.check("Green") == 1
    assert Lamp.colour.check(1) == 1
    assert Lamp.colour.text(0) == "red"


def test_a_choice_that_is_not_one_says_the_words_and_the_nearest():
    with pytest.raises(Refused) as caught:
        Room("r").exit.colour.check("gren")
    assert str(caught.value) == (
        'r.exit.colour: "gren" is not one of red, green; did you mean "green"?'
    )


def test_a_choice_rests_at_one_of_its_words():
    with pytest.raises(ValueError, match="tuple"):
        Choice("Nothing.", options=("a", "b"), rest="c")


def test_a_long_text_is_not_said_back_whole():
    for control in (Lamp.on, Lamp.colour, Room.blind):
        with pytest.raises(Refused) as caught:
            control.check("y" * 1_000_000)
        assert len(str(caught.value)) < 200


def test_only_what_stays_where_it_is_put_may_be_set():
    assert [c.kind for c in (Lamp.on, Lamp.colour, Room.blind) if c.settable] == [
        "switch",
        "choice",
        "fader",
    ]
    assert not Room.bell.settable
    assert not Room.light.settable


def test_a_fader_glides_unless_it_is_told_not_to():
    assert Fader("Level.", decibels(-60, 6)).glide == 0.005
    assert Fader("Number.", count(0, 3), glide=0).glide == 0
    assert Switch("Light.").glide == 0
