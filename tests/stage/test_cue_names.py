"""How a name finds its place: labels, kinds, numbers, and what is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.stage.cue_names import find_place, places_of
from sfa_engine.stage.track_cues import TrackCue, TrackSection

HOT = [
    TrackCue(60.0, 64.0, "loop", 2, "Big Drop"),
    TrackCue(0.5, None, "intro", 1, "first downbeat"),
]
MEMORY = [
    TrackCue(90.0, None, "break", label="break 1"),
    TrackCue(150.0, None, "break", label="bridge"),
]
SECTIONS = [
    TrackSection(0.5, "intro"), TrackSection(30.0, "build"), TrackSection(60.2, "drop"),
    TrackSection(90.0, "break"), TrackSection(120.0, "drop"), TrackSection(180.0, "outro"),
]  # fmt: skip
PLACES = places_of(HOT, MEMORY, SECTIONS)


@pytest.mark.parametrize(
    ("name", "place_s", "what"),
    [
        ("big drop", 60.0, "hot cue"),  # whatever the case
        ("BIG-DROP", 60.0, "hot cue"),
        ("big", 60.0, "hot cue"),  # nothing else begins so
        ("2", 60.0, "hot cue"),
        ("drop", 60.2, "section"),
        ("drop 1", 60.2, "section"),
        ("drop 2", 120.0, "section"),
        ("intro", 0.5, "section"),  # a label comes before a kind
        ("first downbeat", 0.5, "hot cue"),
        ("break", 90.0, "section"),
        ("break 1", 90.0, "memory cue"),
        ("break 2", 150.0, "memory cue"),  # of the kind, whatever it is called
        ("bridge", 150.0, "memory cue"),
        ("outro", 180.0, "section"),
    ],
)
def test_a_name_finds_its_place(name: str, place_s: float, what: str) -> None:
    found = find_place(PLACES, name)
    assert (found.position_s, found.what) == (place_s, what)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("drup", 'did you mean "drop"'),
        ("drop 3", "the track has 2; drop is at 1:00.2, 2:00.0"),
        ("7", "hot cue 7 is not set"),
        ("", "nothing is called"),
        ("qqq", "there are first downbeat, Big Drop, break 1"),
        ("b", "nothing is called"),  # several begin so
    ],
)
def test_what_is_not_found_is_refused_with_what_there_is(name: str, says: str) -> None:
    with pytest.raises(Refused) as caught:
        find_place(PLACES, name)
    assert says in str(caught.value)


def test_a_track_without_names_says_what_to_do() -> None:
    with pytest.raises(Refused, match="label a cue, or analyse the track"):
        find_place([], "drop")


@given(st.text())
def test_any_text_finds_a_place_or_is_refused(name: str) -> None:
    try:
        found = find_place(PLACES, name)
    except Refused as error:
        hint = error.hint
        assert hint
    else:
        assert found in PLACES


@given(st.sampled_from(PLACES))
def test_every_place_that_has_a_label_of_its_own_is_found_by_it(place) -> None:
    found = find_place(PLACES, place.name)
    assert place.name in found.names
