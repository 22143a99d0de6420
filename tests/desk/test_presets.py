"""Which controls a preset has, and its values to a file and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import CONTROLS, Choice, Switch
from sfa_engine.desk.presets import (
    DESK_GROUPS,
    KEPT,
    check_preset,
    is_kept,
    known,
    select,
    to_file,
)
from sfa_engine.errors import Refused

NUMBERS = [path for path in KEPT if CONTROLS[path].kind != "text"]


def values_of(control):
    if isinstance(control, Switch):
        return st.sampled_from([0.0, 1.0])
    scale = control.scale
    if scale.whole or isinstance(control, Choice):
        return st.integers(int(scale.low), int(scale.high)).map(float)
    return st.floats(scale.low, scale.high)


@given(st.data())
def test_a_value_goes_to_a_file_and_back(data):
    control = CONTROLS[data.draw(st.sampled_from(NUMBERS))]
    value = data.draw(values_of(control))
    written = json.loads(json.dumps(to_file(control, value)))
    assert control.check(written) == value


def test_switches_and_choices_are_words_in_a_file():
    assert to_file(CONTROLS["deck1.eq.low.kill"], 1.0) is True
    assert to_file(CONTROLS["crossfader_curve"], 1.0) == "power"
    assert to_file(CONTROLS["deck1.trim"], -3.0) == -3.0


def test_nothing_that_moves_a_track_or_is_held_is_in_a_preset():
    for name in (
        *("play", "position", "needle", "platter", "scratch", "touch", "bend", "cue_point"),
        *("loop.active", "loop.start", "hotcue1.position", "leader", "bpm", "tempo_fader"),
        *("stem.vocals.source", "stem.vocals.loop"),
    ):
        assert not is_kept(CONTROLS[f"deck1.{name}"]), name
    for path in ("recorder.on", "browse.position", "session.lock", "session.shift", "pad1.label"):
        assert not is_kept(CONTROLS[path]), path
    for path in ("deck1.rate", "pad1.mode", "fx1.slot1.patch", "sampler.volume", "clock.tempo"):
        assert is_kept(CONTROLS[path]), path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["crossfader"], ["crossfader"]),
        (["deck1.eq.low"], ["deck1.eq.low.gain", "deck1.eq.low.kill"]),
        (["deck.trim"], ["deck1.trim", "deck2.trim"]),
        (["deck*.trim", "deck1.trim"], ["deck1.trim", "deck2.trim"]),
        (["deck1.eq.*.kill"], [f"deck1.eq.{band}.kill" for band in ("low", "mid", "high")]),
        (["deck1.play", "crossfader"], None),
        (["deck9"], None),
        (["deck1.eq.lwo"], None),
    ],
)
def test_patterns_name_controls_sections_and_pages(patterns, expected):
    if expected is None:
        with pytest.raises(Refused):
            select(patterns)
    else:
        assert select(patterns) == expected


def test_a_page_is_named_as_surfaces_call_it_and_none_is_the_mixing_desk():
    assert {CONTROLS[path].group for path in select(["effects"])} == {"effects"}
    assert {CONTROLS[path].group for path in select([])} == set(DESK_GROUPS)


def test_a_wrong_pattern_has_the_nearest_in_its_hint():
    with pytest.raises(Refused, match='did you mean "effects"'):
        select(["efects"])
    with pytest.raises(Refused, match="are not kept"):
        select(["recorder"])


def test_a_kind_of_effect_comes_before_its_knobs():
    """Another kind puts the knobs to where it begins."""
    paths = select(["fx1"])
    for knob in "abc":
        assert paths.index("fx1.slot1.kind") < paths.index(f"fx1.slot1.param_{knob}")
    mixed = {path: to_file(CONTROLS[path], 0.0) for path in NUMBERS if path in reversed(paths)}
    assert list(known(mixed)[0]) == [path for path in paths if path in mixed]


def test_what_cannot_be_recalled_is_left_out_by_name():
    values = {
        "deck1.trim": 99.0,
        "deck1.gone": 1.0,
        "crossfader": 20,
        "deck1.play": True,
        "crossfader_curve": "wavy",
        "deck2.eq.low.kill": True,
    }
    found, left_out = known(values)
    assert found == {"crossfader": 20.0, "deck2.eq.low.kill": 1.0}
    assert [each.path for each in left_out] == [
        *("deck1.trim", "deck1.gone", "deck1.play", "crossfader_curve"),
    ]
    assert all(each.why for each in left_out)


def test_each_deck_stops_following_before_it_takes_a_rate():
    values = {"deck1.trim": 0.0, "deck1.rate": 1.02, "deck2.rate": 1.0}
    found, _ = known(values | {"deck2.sync": "off", "deck1.sync": "off"})
    assert list(found) == ["deck1.sync", "deck2.sync", "deck1.rate", "deck1.trim", "deck2.rate"]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"values": {}},
        {"values": []},
        {"values": {"a": [1]}},
        {"values": {"a" * 300: 1}},
        {"values": {"a": 1}, "version": 2},
        {"values": {"a": 1}, "program": 128},
        {"values": {"a": 1}, "program": True},
        {"values": {"a": 1}, "programme": 1},
    ],
)
def test_what_is_no_preset_is_refused(wrong):
    with pytest.raises(Refused):
        check_preset(wrong)


@given(st.dictionaries(st.text(max_size=40), st.none() | st.booleans() | st.floats() | st.text()))
def test_whatever_a_valid_form_says_is_recalled_or_left_out(values):
    if values:
        checked = check_preset({"values": values})
        found, left_out = known(checked["values"])
        assert len(found) + len(left_out) == len(values)
