"""Words to sets of loops."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.mix.loop_words import MAX_LOOPS, STEMS, LoopsWanted, read_loops
from sfa_engine.mix.wanted import Wanted


def kinds(text: str) -> list[tuple[int, str, float, str]]:
    return [
        (each.count, each.stem, each.length, "bars" if each.in_bars else "beats")
        for each in read_loops(text).loops
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loops", [(4, "mix", 8, "beats")]),
        ("a drum loop", [(1, "drums", 8, "beats")]),
        (
            "4 drum loops of 8 beats and 2 bass loops of 16 around 126 in 8A",
            [(4, "drums", 8, "beats"), (2, "bass", 16, "beats")],
        ),
        ("two 4-bar vocal loops, dark techno", [(2, "vocals", 4, "bars")]),
        ("4 8-beat drum loops", [(4, "drums", 8, "beats")]),
        ("make me a kit of 3 loops of drums around 120", [(3, "drums", 8, "beats")]),
        ("3 loops of drums of 16 beats", [(3, "drums", 16, "beats")]),
        ("loops of guitar with 4 bars each", [(4, "guitar", 4, "bars")]),
        ("4 dark techno drum loops", [(4, "drums", 8, "beats")]),
        ("dark techno 120 to 126 drum loops", [(4, "drums", 8, "beats")]),
        ("drum and bass drum loops", [(4, "drums", 8, "beats")]),
        (
            "3 drum and bass loops of 2 bars 126 bpm",
            [(3, "drums", 2, "bars"), (3, "bass", 2, "bars")],
        ),
        ("3 loops and 3 loops", [(6, "mix", 8, "beats")]),
        ("4 Drum-Loops mit 8 Schlägen um 126", [(4, "drums", 8, "beats")]),
        ("zwei Schleifen Gesang, 4 Takte", [(2, "vocals", 4, "bars")]),
        (
            "4 drum loops, 2 bass loops, 16 beats",
            [(4, "drums", 8, "beats"), (2, "bass", 16, "beats")],
        ),
        ("loops around 126 bpm", [(4, "mix", 8, "beats")]),
    ],
)
def test_words_say_which_loops(text: str, said: list[tuple[int, str, float, str]]) -> None:
    assert kinds(text) == said


def test_the_rest_is_a_search() -> None:
    said = read_loops("4 dark techno drum loops of 8 beats and 2 bass loops of 16 at 126 in 8A")
    assert said.wanted.genres == ("techno",)
    assert said.wanted.where == ("key:8A",)
    assert said.wanted.bpm == pytest.approx((122.85, 129.15))
    assert said.wanted.limit is None
    assert (said.unknown, said.stems) == ((), ("drums", "bass"))
    assert read_loops("drum and bass drum loops").wanted.genres == ("drum and bass",)
    assert read_loops("loops that go with 12").wanted.goes_with == "12"
    assert read_loops("drum loops").wanted == Wanted(where=("duration:>0",))
    assert read_loops("florp drum loops").unknown == ("florp",)


def test_bars_are_the_track_s_own() -> None:
    (waltz,) = read_loops("a loop of 4 bars").loops
    assert (waltz.beats(3), waltz.beats(4), waltz.name) == (12, 16, "mix, 4 bars")
    assert LoopsWanted("drums", 1.0).beats(3) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ask for no loops"),
        ("dark techno", "ask for no loops"),
        ("\x00\u202e!!", "ask for no loops"),
        ("200 drum loops", "200 loops"),
        ("0 drum loops", "0 loops"),
        ("drum loops of 1000", "1000 beats"),
        ("drum loops of 2.5 beats", "2.5 beats"),
        ("33 drum loops and 32 bass loops", "65 loops are too many"),
        ("x" * 10_000, "10000 characters long"),
        ("loop " * 190, "190 words"),
        ("drum loops over 130 under 120 bpm", "no tempo is over"),
        ("drum loops bmp:120", "bmp"),
    ],
)
def test_what_asks_for_no_set_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        read_loops(text)


@settings(max_examples=50)
@given(
    st.integers(1, MAX_LOOPS),
    st.sampled_from(sorted(STEMS)),
    st.integers(1, 128),
    st.sampled_from(["beats", "bars"]),
)
def test_each_count_stem_and_length_is_read_before_and_behind(
    count: int, stem: str, length: int, unit: str
) -> None:
    length = min(length, 32) if unit == "bars" else length
    wanted = [(count, stem, length, unit)]
    assert kinds(f"{count} {stem} loops of {length} {unit}") == wanted
    assert kinds(f"{count} {length}-{unit} {stem} loops, techno around 126") == wanted


@given(st.text(max_size=1000))
def test_any_text_is_a_set_or_an_error_of_ours(text: str) -> None:
    began = time.process_time()
    with suppress(Refused):
        assert 1 <= sum(each.count for each in read_loops(text).loops) <= MAX_LOOPS
    assert time.process_time() - began < 1.0
