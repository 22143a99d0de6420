"""The desk as it is declared: names, sentences, ranges, and how a control is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfa_engine.desk import (
    CONTROLS,
    DECKS,
    DESK,
    HOT_CUES,
    Button,
    Choice,
    Control,
    Desk,
    Meter,
    Text,
    find,
)
from sfa_engine.desk.control import Name
from sfa_engine.desk.deck import BANDS, BANKS, HOT_CUES_IN_BANK, STEMS
from sfa_engine.errors import Planned, Refused

GOLDEN = Path(__file__).parent / "controls.txt"
PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


def line(control: Control) -> str:
    """Return all that others rely on: a change of it breaks somebody's mapping or set."""
    scale = control.scale
    if isinstance(control, Text):
        span, rest = "-", "-"
    elif isinstance(control, Choice):
        span, rest = "|".join(control.options), control.text(scale.rest)
    else:
        span, rest = f"{scale.low:.12g}..{scale.high:.12g}", f"{scale.rest:.12g}"
    fields = [control.path, control.kind, scale.unit or "-", span, f"rest {rest}"]
    fields += ["stage"] * (control.owner == "stage")
    return "  ".join(fields + ["planned"] * control.planned)


def test_names_kinds_units_ranges_and_rests_are_the_golden_ones(accept_golden):
    """A name is a promise: profiles, layouts and journals hold it. Change it with an alias only."""
    now = "".join(f"{line(control)}\n" for control in CONTROLS.values())
    if accept_golden:
        GOLDEN.write_text(now)
    assert now == GOLDEN.read_text()


def test_no_two_controls_have_one_name():
    assert len(list(DESK.controls())) == len(CONTROLS)


def test_every_name_fits_the_grammar():
    assert [path for path in CONTROLS if not PATH.fullmatch(path)] == []


def test_every_control_is_explained_in_one_sentence():
    def good(sentence: str) -> bool:
        whole = sentence.endswith(".") and ". " not in sentence and sentence[0].isupper()
        return whole and 5 < len(sentence) <= 100

    assert {c.sentence for c in CONTROLS.values() if not good(c.sentence)} == set()


def test_every_control_rests_within_its_range():
    for control in CONTROLS.values():
        if isinstance(control, Name):
            assert control.check("") == ""
            continue
        assert control.check(control.scale.rest) == control.scale.rest, control.path


def test_every_choice_has_words_that_differ():
    for control in CONTROLS.values():
        if isinstance(control, Choice):
            assert len(set(control.options)) == len(control.options) >= 2
            assert all(re.fullmatch(r"[a-z][a-z0-9_.]*|[0-9]+%", word) for word in control.options)


def test_nothing_takes_longer_than_a_second_to_glide():
    assert all(0 <= control.glide <= 1 for control in CONTROLS.values())


def test_what_is_pressed_or_read_does_not_glide():
    assert all(c.glide == 0 for c in CONTROLS.values() if isinstance(c, Button | Meter))


def test_python_and_the_protocol_say_the_same_name():
    assert DESK.deck[1].stem["vocals"].volume is CONTROLS["deck1.stem.vocals.volume"]
    assert DESK.deck[2].hotcue[8].press.path == "deck2.hotcue8.press"
    assert DESK.pad[64].hit.path == "pad64.hit"
    assert DESK.crossfader.path == "crossfader"


def test_the_desk_has_the_decks_stems_bands_cues_and_pads_of_the_design():
    assert list(DESK.deck) == [1, 2]
    assert DECKS == 2
    assert list(DESK.deck[1].stem) == list(STEMS)
    assert set(STEMS) == {"vocals", "drums", "bass", "other", "guitar", "piano", "mix"}
    assert list(DESK.deck[1].eq) == list(BANDS) == ["low", "mid", "high"]
    assert list(DESK.deck[1].hotcue) == list(range(1, 33))
    assert BANKS * HOT_CUES_IN_BANK == HOT_CUES == 32
    assert DESK.deck[1].hotcue_bank.scale.high == 4
    assert len(DESK.pad) == 64


def test_both_decks_have_the_same_controls():
    def of(deck: int) -> list[str]:
        return [path[5:] for path in CONTROLS if path.startswith(f"deck{deck}")]

    assert of(1) == of(2) != []


def test_a_new_desk_is_equal_and_another():
    assert {c.path: c for c in Desk().controls()} == CONTROLS


# ---------------------------------------------------------------- find


def test_a_control_is_found_by_its_name():
    assert find("deck1.eq.low.kill") is DESK.deck[1].eq["low"].kill


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("deck1.stem.vocal.volume", "deck1.stem.vocals.volume"),
        ("deck1.hotcue.1.press", "deck1.hotcue1.press"),
        ("crossfade", "crossfader"),
        ("Master.Volume", "master.volume"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_right_one(wrong, right):
    with pytest.raises(Refused) as caught:
        find(wrong)
    assert str(caught.value) == f'no control "{wrong}"; did you mean "{right}"?'
    assert caught.value.code == "refused"


@pytest.mark.parametrize("path", ["", ".", "zzz", "deck1" * 30, "\0", "x" * 1_000_000])
def test_a_name_like_no_other_is_refused_with_where_to_look(path):
    with pytest.raises(Refused) as caught:
        find(path)
    assert caught.value.hint == "see `sfa describe` for all"
    assert len(str(caught.value)) < 200


def test_a_section_is_no_control():
    with pytest.raises(Refused):
        find("deck1")


def test_a_planned_control_is_refused_by_its_own_code(planned):
    with pytest.raises(Planned, match=re.escape(planned)) as caught:
        find(planned)
    assert caught.value.code == "planned"
    assert all(find(path) is control for path, control in CONTROLS.items() if path != planned)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("deck1.volume", "deck1.fader"),
        ("deck2.gain", "deck2.trim"),
        ("master.fader", "master.volume"),
        ("deck1.fadr", "deck1.fader"),
        ("crossfadr", "crossfader"),
        ("deck1.stem.vocal.volume", "deck1.stem.vocals.volume"),
        ("deck1.leve", "deck1.level"),
    ],
)
def test_what_is_meant_is_sought_under_the_same_parent_first(path, meant):
    with pytest.raises(Refused, match=f'did you mean "{meant}"'):
        find(path)


def test_a_name_that_is_none_is_not_answered_with_what_is_not_built_yet(planned):
    with pytest.raises(Refused) as refusal:
        find(planned[:-1])
    assert planned not in refusal.value.hint
