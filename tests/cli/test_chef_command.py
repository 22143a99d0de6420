"""`sfa chef` beside a real backstage with one track, which has no stems."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow


def test_words_become_a_plan_and_a_dry_run_stores_none(ask):
    status, out, err = ask("chef", "around 120, rising, two tracks", "--dry-run", "--quiet")
    assert status == 0, err
    assert err.splitlines() == [
        "recipe: 2 tracks, rising",
        "note: 1 of 2 tracks were found",
        "nothing is stored",
    ]
    assert out.splitlines()[0].split() == ["0:00", "1", "Orbital", "-", "Halcyon", "120.0"]
    assert "around-120" not in ask("mix", "list")[1]
    status, out, err = ask("chef", "around", "120,", "rising", "--name", "made", "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert (said["name"], said["stored"], said["mix"]["arc"]) == ("made", True, "rising")
    assert ask("mix", "list")[1] == "made: 1 track\n"
    status, _, err = ask("chef", "around 120", "--name", "made")
    assert (status, err) == (
        1,
        'sfa: there is a mix "made"; replace it, or choose another name\n',
    )


def test_stems_are_made_and_then_muted(ask):
    words = ("chef", "halcyon, no vocals", "--name", "quiet")
    status, out, err = ask(*words, "--dry-run", "--quiet")
    assert (status, out) == (0, "")
    assert "1 track to prepare:\n  Orbital - Halcyon: no stems yet\n" in err
    status, _, err = ask(*words, "--no-wait", "--quiet")
    assert status == 0, err
    status, out, err = ask(*words, "--quiet")
    assert status == 0, err
    assert "Orbital - Halcyon (without vocals)" in out
    assert 'mute = ["vocals"]' in ask("mix", "show", "quiet", "--text")[1]
    assert "deck1.stem.vocals.mute on" in ask("mix", "script", "quiet")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([""], "the recipe is empty"),
        (["rising"], '"rising" asks for nothing to play'),
        (["techno rising falling"], "two arcs are named"),
        (["bpm:>300"], "no track for this recipe"),
        (["techno", "--name", "A/b"], "name is 'A/b'"),
        (["techno", "--rate", "50"], "rate_pct is 50"),
    ],
)
def test_a_wrong_recipe_is_one_line(ask, words, said):
    status, out, err = ask("chef", *words, "--quiet")
    assert (status, out) == (1, "")
    assert err.startswith(f"sfa: {said}"), err
    assert len(err.splitlines()) == 1
