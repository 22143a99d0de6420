"""What the desk says of a control for surfaces: label, page, colour, travel and detent."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import CONTROLS, Button, Choice, Fader, Meter, Section, Text
from sfa_engine.desk.control import CENTRE, COLORS, GROUPS, MAX_LABEL, Name
from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.scale import Scale, centred_decibels, count

CENTRED = [c for c in CONTROLS.values() if c.detent is not None]
# Of a control that is declared by its row alone.
KEYS = {
    "path", "kind", "sentence", "label", "group", "order", "color", "unit", "low", "high", "rest",
    "optional", "whole", "digits", "law", "taper", "detent", "glide", "held", "momentary",
    "options", "owner", "verb", "refusable", "planned",
    "settable",
}  # fmt: skip


def section_of(path: str) -> str:
    return path.rpartition(".")[0]


# ---------------------------------------------------------------- labels, pages, colours


def test_every_label_is_short_and_unique_in_its_section():
    labels = defaultdict(list)
    for path, control in CONTROLS.items():
        assert 0 < len(control.label) <= MAX_LABEL, path
        labels[section_of(path)].append(control.label)
    assert {section for section, found in labels.items() if len(found) != len(set(found))} == set()


def test_a_label_is_derived_from_the_name():
    assert CONTROLS["deck1.loop.set_in"].label == "SET IN"
    assert CONTROLS["deck1.play"].label == "PLAY"
    assert CONTROLS["crossfader"].label == "XFADER"


def test_a_name_that_is_too_long_for_a_label_needs_one():
    class Long(Section):
        """A section."""

        much_too_long = Button("Does something.")

    with pytest.raises(ValueError, match="much_too_long needs a label of at most 8"):
        Long()


def test_every_control_is_on_a_page_and_every_page_has_controls():
    assert {control.group for control in CONTROLS.values()} == set(GROUPS)


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("deck1.play", "transport"),
        ("deck2.jump", "transport"),
        ("deck1.rate", "tempo"),
        ("deck1.phase_error", "tempo"),
        ("deck1.trim", "mixer"),
        ("crossfader", "mixer"),
        ("deck1.eq.low.kill", "eq"),
        ("deck1.hotcue32.press", "hotcue"),
        ("deck1.hotcue_bank", "hotcue"),
        ("pad64.hit", "sampler"),
        ("session.lock", "session"),
    ],
)
def test_a_control_is_on_the_page_of_its_topic(path, group):
    assert CONTROLS[path].group == group


def test_the_order_is_that_of_the_declaration():
    orders = defaultdict(list)
    for path, control in CONTROLS.items():
        orders[section_of(path)].append(control.order)
    assert all(found == sorted(set(found)) for found in orders.values())


def test_hue_means_stem():
    for path, control in CONTROLS.items():
        assert control.color in COLORS
        words = section_of(path).split(".")
        stem = next((word for word in words if word in STEMS), None)
        assert (control.color if control.color in STEMS else None) == stem, path
    assert set(STEMS) <= set(COLORS)


# ---------------------------------------------------------------- travel


@pytest.mark.parametrize("path", [f"deck1.eq.{band}.gain" for band in ("low", "mid", "high")])
def test_a_knob_for_a_level_is_at_0_db_in_the_middle_of_its_travel(path):
    scale = CONTROLS[path].scale
    assert scale.value(0.5) == 0.0
    assert scale.travel(0.0) == 0.5
    assert (scale.value(0.0), scale.value(1.0)) == (-60.0, 12.0)


def test_a_channel_fader_keeps_its_law():
    """0 dB lies at three quarters of the travel, as on a mixer."""
    for path in ("deck1.fader", "deck1.stem.vocals.volume", "master.volume"):
        assert 0.7 < CONTROLS[path].scale.travel(0.0) < 0.8
        assert CONTROLS[path].detent is None


@pytest.mark.parametrize(
    "path",
    [
        "deck1.trim", "deck1.eq.mid.gain", "deck1.filter", "deck1.stem.drums.pan", "deck1.pitch",
        "deck1.rate", "deck1.tempo_fader", "deck1.bend", "crossfader", "deck2.stem.mix.filter",
    ],
)  # fmt: skip
def test_what_has_two_sides_has_a_detent(path):
    assert CONTROLS[path].detent == CENTRE == 0.5


def test_a_detent_is_exactly_the_rest():
    for control in CENTRED:
        assert control.scale.value(control.detent) == control.scale.rest, control.path
        assert control.scale.travel(control.scale.rest) == control.detent, control.path


def test_only_a_fader_has_a_detent():
    assert all(isinstance(control, Fader) for control in CENTRED)


@given(st.floats(-59.9, -0.1), st.floats(0.1, 23.9), st.floats(0, 1), st.floats(0, 1))
def test_a_centred_travel_inverts_and_never_goes_back(low, high, one, other):
    scale = Scale("dB", low, high, 0.0, taper="centred", law="gain")
    assert scale.value(0.5) == 0.0
    assert abs(scale.travel(scale.value(one)) - one) < 1e-9
    nearer, further = sorted([one, other])
    assert scale.value(nearer) <= scale.value(further)


def test_a_centred_scale_has_a_zero_within():
    with pytest.raises(ValueError, match="has no 0"):
        Scale("dB", 1.0, 2.0, 1.0, taper="centred")
    assert centred_decibels(-60, 12).engine(-60) == 0.0


# ---------------------------------------------------------------- to_dict


def test_a_client_needs_no_other_document():
    for control in CONTROLS.values():
        assert set(control.to_dict()) == KEYS


def test_digits_say_how_many_a_text_has():
    for control in CONTROLS.values():
        said = control.to_dict()
        if isinstance(control, Fader) and not said["optional"] and said["low"] + 1 < said["high"]:
            decimals = control.text(said["low"] + 1).partition(" ")[0].partition(".")[2]
            assert len(decimals) == said["digits"], control.path
    assert CONTROLS["pad1.choke"].to_dict()["digits"] == 0


def test_held_and_momentary_are_told_apart():
    told = {path: CONTROLS[path].to_dict() for path in CONTROLS}
    assert told["deck1.cue"]["held"]
    assert not told["deck1.hotcue1.store"]["held"]
    assert all(told[c.path]["momentary"] for c in CONTROLS.values() if isinstance(c, Button))
    assert [p for p, c in CONTROLS.items() if c.momentary and not isinstance(c, Button)] == [
        "deck1.bend",
        "deck1.scratch",
        "deck1.touch",
        "deck2.bend",
        "deck2.scratch",
        "deck2.touch",
        "session.shift",
    ]


def test_a_text_has_no_range():
    said = CONTROLS["deck1.title"].to_dict()
    assert (said["kind"], said["low"], said["high"], said["rest"]) == ("text", None, None, "")


def test_texts_are_of_the_stage_and_read_only_but_names_and_colours():
    texts = [c for c in CONTROLS.values() if isinstance(c, Text)]
    assert texts
    assert all(c.owner == "stage" and isinstance(c, Meter) for c in texts)
    assert all(c.settable == isinstance(c, Name) for c in texts)


# ---------------------------------------------------------------- ranges


def test_the_range_of_the_tempo_fader_is_said_with_or_without_the_sign():
    control = CONTROLS["deck1.rate_range"]
    assert isinstance(control, Choice)
    assert control.options == ("6%", "8%", "10%", "16%", "25%", "50%", "100%")
    assert control.text(control.scale.rest) == "8%"
    assert control.check("16") == control.check("16%") == 3.0


def test_a_section_may_inherit_and_its_controls_stay_on_their_own_pages():
    class One(Section):
        """One."""

        group = "tempo"
        fast = Fader("How fast.", count(0, 3))

    class Both(One):
        """Both."""

        group = "loop"
        owner = "stage"
        long = Fader("How long.", count(0, 3), group="mixer")
        deep = Fader("How deep.", count(0, 3), owner="engine")

    both = Both("both")
    assert [c.path for c in both.controls()] == ["both.fast", "both.long", "both.deep"]
    assert [c.group for c in both.controls()] == ["tempo", "mixer", "loop"]
    assert [c.owner for c in both.controls()] == ["engine", "stage", "engine"]
