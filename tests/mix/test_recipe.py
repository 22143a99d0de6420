"""Words to a recipe: sentences that were written before the reader, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.mix.recipe import MAX_COUNT, Recipe, read_recipe

CALM = [("calm", 0.5)]


def parts(recipe: Recipe) -> dict[str, Any]:
    """Return what a recipe has beside the defaults."""
    wanted = recipe.wanted
    all_parts = {
        "arc": recipe.arc if recipe.arc != "steady" else None,
        "count": recipe.count if recipe.count != 8 else None,
        "mute": recipe.mute,
        "only": recipe.only,
        "first": recipe.first,
        "last": recipe.last,
        "genres": wanted.genres,
        "feel": [(each.name, each.weight) for each in wanted.feel],
        "bpm": wanted.bpm and tuple(each and round(each) for each in wanted.bpm),
        "where": wanted.where,
        "text": wanted.text,
        "unknown": recipe.unknown,
        "goes_with": wanted.goes_with,
    }
    return {name: value for name, value in all_parts.items() if value}


def dark(*more: tuple[str, float]) -> list[tuple[str, float]]:
    return [("dark", 1.0), *more]


SENTENCES: list[tuple[str, dict[str, Any]]] = [
    (
        "warm up, dark techno 120 to 126, rising, eight tracks, no vocals",
        {"arc": "rising", "mute": ("vocals",), "genres": ("techno",), "bpm": (120, 126),
         "feel": dark(("instrumental", 1.0), *CALM)},
    ),
    ("dark techno", {"genres": ("techno",), "feel": dark()}),
    ("12 house tracks, peak", {"arc": "peak", "count": 12, "genres": ("house",)}),
    ("peak time techno", {"genres": ("techno",), "feel": [("energetic", 1.0)]}),
    ("make a deep house set in waves", {"arc": "wave", "genres": ("deep house",)}),
    ("a steady mix of trance around 138", {"genres": ("trance",), "bpm": (135, 141)}),
    ("an hour of dub techno", {"count": 16, "genres": ("dub techno",)}),
    ("half an hour of disco", {"genres": ("disco",)}),
    ("two hours of house, falling", {"arc": "falling", "count": 32, "genres": ("house",)}),
    ("90 minutes of techno", {"count": 24, "genres": ("techno",)}),
    ("1.5 hours techno", {"count": 24, "genres": ("techno",)}),
    ("techno over 7 minutes", {"genres": ("techno",), "where": ("duration:>420",)}),
    ("house added in the last 24 hours", {"genres": ("house",), "where": ("added:24h",)}),
    ("drums only, techno", {"only": ("drums",), "genres": ("techno",)}),
    ("techno without drums", {"mute": ("drums",), "genres": ("techno",)}),
    ("instrumental hip hop", {"mute": ("vocals",), "genres": ("hip hop",),
                              "feel": [("instrumental", 1.0)]}),
    ("acapella house", {"only": ("vocals",), "genres": ("house",), "feel": [("vocal", 1.0)]}),
    ("house with no bass and no drums", {"mute": ("bass", "drums"), "genres": ("house",)}),
    ("techno in A minor, building up", {"arc": "rising", "genres": ("techno",),
                                        "where": ("key:8A",)}),
    ("techno starting with 12 and ending with #7",
     {"first": "12", "last": "#7", "genres": ("techno",)}),
    ("techno that mixes with 12", {"genres": ("techno",), "goes_with": "12"}),
    ("closing set, ambient, ten tracks", {"arc": "falling", "count": 10, "genres": ("ambient",),
                                          "feel": CALM}),
    ("warm up peaking, house", {"arc": "peak", "genres": ("house",), "feel": CALM}),
    ("warm-up energetic house", {"arc": "rising", "genres": ("house",),
                                 "feel": [("energetic", 1.0)]}),
    ("dunkler Techno von 120 bis 126, steigend, acht Stücke, ohne Gesang",
     {"arc": "rising", "mute": ("vocals",), "genres": ("techno",), "bpm": (120, 126),
      "feel": dark(("instrumental", 1.0))}),
    ("eine Stunde House, auf und ab", {"arc": "wave", "count": 16, "genres": ("house",)}),
    ("techno quxly", {"genres": ("techno",), "text": ("quxly",), "unknown": ("quxly",)}),
    ("techno not rising", {"genres": ("techno",), "unknown": ("not rising",)}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), SENTENCES, ids=[each[0] for each in SENTENCES])
def test_a_sentence_becomes_its_recipe(words: str, expected: dict[str, Any]) -> None:
    assert parts(read_recipe(words)) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "the recipe is empty"),
        ("x" * 1001, "the recipe is 1001 characters long"),
        ("rising, eight tracks", "asks for nothing"),
        ("techno, rising, falling", 'two arcs are named: "rising", "falling"'),
        ("techno, drums only, no drums", "nothing but drums, and no drums"),
        ("200 tracks of techno", "200 tracks are too many"),
        ("9 hours of techno", "144 tracks are too many"),
        ("acapella over techno", "a plan has no a cappella over another track"),
        ("techno starting with", '"starting with" names no track'),
        ("techno around 126, under 100", "no tempo"),
        ("techno drums only for an hour, two hours", "two lengths are named"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(words: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read_recipe(words)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(words: str) -> None:
    try:
        made = read_recipe(words)
    except Refused:
        return
    assert 1 <= made.count <= MAX_COUNT
    assert made.wanted.limit is None
