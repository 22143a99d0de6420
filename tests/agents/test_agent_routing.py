"""Which agent an instruction is for, and which tracks it names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.agents.contract import AGENTS, Context, Turn
from sfa_engine.agents.orchestrator import pipeline
from sfa_engine.agents.reference import referred
from sfa_engine.agents.routing import MARGIN, route
from sfa_engine.bench.agents import SENTENCES, agents_of, answering

SETS = tomllib.loads(Path(SENTENCES).read_text(encoding="utf-8"))
BEFORE = Turn("find techno", "3 tracks", "library", (4, 9, 31))


def test_sentences_of_both_languages_are_routed() -> None:
    sentences = SETS["sentence"]
    assert len(sentences) == 120
    assert sum(each["language"] == "de" for each in sentences) == 60
    wrong = [each for each in sentences if route(each["text"]).agent != each["agent"]]
    assert len(wrong) <= 6, wrong


def test_sentences_that_were_set_aside_are_routed_nearly_as_well() -> None:
    rest = SETS["rest"]
    assert len(rest) == 40
    wrong = [each for each in rest if route(each["text"]).agent != each["agent"]]
    assert len(wrong) <= 8, wrong


def test_sentences_that_were_tried_later_stay_right() -> None:
    wrong = [each for each in SETS["later"] if route(each["text"]).agent != each["agent"]]
    assert len(wrong) <= 4, wrong


def test_loosely_worded_sentences_are_routed() -> None:
    wrong = [each for each in SETS["loose"] if answering(each["text"]) != agents_of(each)]
    assert len(wrong) <= 6, wrong


def test_sentences_that_were_never_fitted_to_are_mostly_routed() -> None:
    fresh = SETS["fresh"]
    assert len(fresh) == 100
    wrong = [each for each in fresh if answering(each["text"]) != agents_of(each)]
    assert len(wrong) <= 45, wrong


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("analyse", "track"), ("analyze", "track"), ("analysed", "track"),
        ("isolate", "stems"), ("isolating", "stems"), ("vocals", "stems"), ("vocal", "stems"),
        ("drums", "stems"), ("drum", "stems"), ("stems", "stems"),
        ("library", "library"), ("libraries", "library"),
        ("cue", "cues"), ("cues", "cues"), ("hotcues", "cues"), ("hot-cues", "cues"),
        ("mastering", "mastering"), ("mastered", "mastering"),
        ("transitions", "mix"), ("Übergänge", "mix"), ("Uebergaenge planen", "mix"),
        ("find tracks in a similar key", "library"),
    ],
)  # fmt: skip
def test_inflected_words_and_plurals_count_as_their_stem(text: str, agent: str) -> None:
    assert route(text).agent == agent


@pytest.mark.parametrize("text", ["", "?!", "日本語", "\x00"])
def test_nothing_goes_to_the_library_which_only_searches(text: str) -> None:
    found = route(text)
    assert found.agent == "library"
    assert found.margin <= MARGIN


def test_a_close_rival_is_named() -> None:
    found = route("where are the vocals, and is it mastered?")
    assert found.agent == "mastering"
    assert "stems" in found.rivals[:2]
    assert found.margin <= 2 * MARGIN
    assert route("set hot cues").margin > MARGIN


def test_what_only_refers_to_a_track_is_for_the_agent_that_answered_last() -> None:
    assert route("and the second one?", [BEFORE]).agent == "library"
    turn = Turn("how loud is 4", "…", "mastering", (4,))
    assert route("and this one?", [turn]).agent == "mastering"
    assert route("and this one?").margin < MARGIN


@given(st.text(max_size=300))
def test_any_text_is_routed(text: str) -> None:
    assert route(text).agent in AGENTS
    pipeline(text)
    referred(Context(text, track=1, history=(BEFORE,)))


def test_a_long_text_is_routed_in_a_moment() -> None:
    assert route("von a " * 100_000 + "von 12 zu 23").agent in AGENTS
    referred(Context("12 und " * 300))


# ---------------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("text", "tracks"),
    [
        ("analyse track 12", (12,)),
        ("analyse #7", (7,)),
        ("Wie laut ist Nummer 5?", (5,)),
        ("how do I get from 12 into 23", (12, 23)),
        ("Wie komme ich von 12 zu 23?", (12, 23)),
        ("Can I blend 12 and 31 without clashing vocals?", (12, 31)),
        ("Kann man 4 und 9 ineinander blenden?", (4, 9)),
        ("Mixe 3 in 8", (3, 8)),
        ("What would be the best transition between 4 and 9?", (4, 9)),
        ("songs like 12 but faster", (12,)),
        ("In welcher Reihenfolge soll ich 1, 2 und 4 spielen?", (1, 2, 4)),
        ("mix 1, 3, and 5 together", (1, 3, 5)),
        ("around 126,5", ()),
        # Numbers that are no tracks.
        ("dark techno 120 to 126", ()),
        ("Ich suche House ohne Gesang zwischen 118 und 122", ()),
        ("Search my library for dark techno around 126", ()),
        ("mix for 90 minutes", ()),
        ("instrumental tracks in 8A", ()),
        ("tracks from 1994 to 1999", ()),
        ("how much limiting for -8 LUFS", ()),
        ("find 20 tracks", ()),
        ("four bass loops around 124 BPM", ()),
    ],
)
def test_numbers_name_tracks_where_they_can_be_none_other(
    text: str, tracks: tuple[int, ...]
) -> None:
    found = referred(Context(text))
    assert found.tracks == tracks
    assert found.track == next(iter(tracks), None)


@pytest.mark.parametrize(
    ("text", "tracks"),
    [
        ("analyse the second one", (9,)),
        ("analysiere den zweiten", (9,)),
        ("and the last one?", (31,)),
        ("how loud is this?", (4,)),
        ("Wie laut ist dieser?", (4,)),
        ("wie laut ist er", (4,)),
        ("plan a mix of these tracks", (4, 9, 31)),
        ("Plane einen Mix aus diesen Tracks", (4, 9, 31)),
        ("what is the best transition between both?", (4, 9)),
        ("from this one into 23", (4, 23)),
        ("from the third one into the first one", (31, 4)),
        ("the fifth one", ()),
        ("where is the second drop", ()),
    ],
)
def test_words_name_tracks_of_the_answer_before(text: str, tracks: tuple[int, ...]) -> None:
    assert referred(Context(text, history=(BEFORE,))).tracks == tracks


def test_the_track_of_the_context_is_this_one() -> None:
    assert referred(Context("how loud is this?", track=7, history=(BEFORE,))).track == 7
    assert referred(Context("how loud is it?", track=7, history=(BEFORE,))).track == 7
    assert referred(Context("from this track into 23", track=7)).tracks == (7, 23)
    assert referred(Context("track 12", track=7)).track == 12
    chosen = Context("plan a mix of these", tracks=(1, 2, 3))
    assert referred(chosen).tracks == (1, 2, 3)


# ---------------------------------------------------------------------- pipelines


def test_two_requests_are_two_steps() -> None:
    found = pipeline("find dark techno around 126 and plan a mix")
    assert [agent for agent, _ in found] == ["library", "mix"]
    assert found[0][1] == "find dark techno around 126"
    found = pipeline("Analysiere Track 12 und setze Hotcues")
    assert [agent for agent, _ in found] == ["track", "cues"]


@pytest.mark.parametrize(
    "text",
    [
        "find drum and bass", "what is the key and tempo of this song", "vocals and drums",
        "analyse this", "find house and find techno", "a and b and c and d and e",
        "Mark the intro, the breaks and the drops with hotcues",
    ],
)  # fmt: skip
def test_one_request_with_an_and_is_one(text: str) -> None:
    assert pipeline(text) == []
