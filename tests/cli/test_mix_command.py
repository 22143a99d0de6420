"""`sfa mix` beside a real backstage with one track, and "this" in a search."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sfa_engine.cli.mix_live import lines

pytestmark = pytest.mark.slow


def editor(tmp_path, *edits):
    """Write an editor that makes one edit after another, of a pattern and what replaces it."""
    count = tmp_path / "count"
    program = tmp_path / "editor"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, re, sys
count = pathlib.Path({str(count)!r})
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
pattern, words = {edits!r}[number]
path = pathlib.Path(sys.argv[1])
path.write_text(re.sub(pattern, words, path.read_text()))
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_a_mix_is_planned_shown_listed_renamed_and_removed(ask, tmp_path):
    status, out, err = ask("mix", "plan", "one", "halcyon", "--arc", "peak")
    assert status == 0, err
    assert err == "note: one track has no transitions\n"
    assert out.splitlines()[0].split() == ["0:00", "1", "Orbital", "-", "Halcyon", "120.0"]
    assert out.splitlines()[-1] == "one: 1 track, 0:20"
    said = json.loads(ask("mix", "show", "one", "--json")[1])
    assert (said["arc"], said["tracks"][0]["id"]) == ("peak", 1)
    assert ask("mix", "show", "one", "--text")[1] == said["text"]
    assert "first: energy" in ask("mix", "show", "one", "--why")[1]
    assert ask("mix", "rename", "one", "two")[0] == 0
    assert ask("mix", "list")[1] == "two: 1 track\n"
    status, out, _ = ask("mix", "script", "two")
    assert status == 0
    assert re.search(r'^\S+ load 1 "#1"$', out, re.MULTILINE)
    file = tmp_path / "two.txt"
    assert ask("mix", "script", "two", "-o", file)[0] == 0
    assert file.read_text() == out
    assert ask("mix", "replan", "two", "--reorder")[0] == 0
    status, _, err = ask("mix", "remove", "two")
    assert (status, err) == (
        1,
        'sfa: Remove the mix "two"? There is no terminal to ask on; add --yes\n',
    )
    assert ask("mix", "remove", "two", "--yes")[0] == 0
    assert ask("mix", "list") == (
        *(0, ""),
        "no mix is planned; plan one: sfa mix plan NAME --playlist …\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "x"], "one of playlist, words and tracks is needed; give one of them"),
        (["plan", "x", "99"], "no track"),
        (["plan", "x", "--playlist", "none"], 'no playlist "none"'),
        (["plan", "x", "1", "--rate", "50"], "rate_pct is 50"),
        (["plan", "A/b", "1"], "name is 'A/b'; give a name of at most 40 lower-case letters"),
        (["show", "nothing"], 'no mix "nothing"'),
        (["edit", "nothing"], 'no mix "nothing"'),
        (["audition", "nothing", "1"], 'no mix "nothing"'),
        (["script", "nothing"], 'no mix "nothing"'),
        (["replan", "nothing"], 'no mix "nothing"'),
        (["rename", "nothing", "x"], 'no mix "nothing"'),
        (["remove", "nothing", "--yes"], 'no mix "nothing"'),
    ],
)
def test_what_is_wrong_is_one_line(ask, words, said):
    status, out, err = ask("mix", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"sfa: {said}"), err
    assert len(err.splitlines()) == 1


def test_an_edit_is_checked_and_offered_again(ask, tmp_path, monkeypatch):
    assert ask("mix", "plan", "edited", "1", "--replace")[0] == 0
    monkeypatch.delenv("VISUAL", raising=False)
    asked = []
    monkeypatch.setattr("sfa_engine.cli.mix.confirm", lambda question, **_: asked.append(question))
    edits = (r"deck = 1", "deck = 9"), (r"deck = 9\n", "deck = 2\n")
    monkeypatch.setenv("EDITOR", editor(tmp_path, *edits))
    status, out, err = ask("mix", "edit", "edited")
    assert status == 0, err
    assert re.match(r"line \d+: deck is 9; give 1 or 2\n", err)
    assert asked == ["Edit it again?"]
    assert out.splitlines()[-1] == "edited: 1 track, 0:20"
    assert json.loads(ask("mix", "show", "edited", "--json")[1])["tracks"][0]["deck"] == 2
    folder = tmp_path / "same"
    folder.mkdir()
    monkeypatch.setenv("EDITOR", editor(folder, ("x^", "")))
    assert ask("mix", "edit", "edited") == (0, "", "nothing was changed\n")


def test_a_mistake_in_an_edit_that_is_not_repeated_changes_nothing(ask, tmp_path, monkeypatch):
    assert ask("mix", "plan", "kept", "1", "--replace")[0] == 0
    before = ask("mix", "show", "kept", "--text")[1]
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, (r"deck = 1", "deck = 9")))
    status, _, err = ask("mix", "edit", "kept")  # there is no terminal to ask on
    assert status == 1
    assert "deck is 9" in err
    assert ask("mix", "show", "kept", "--text")[1] == before


@pytest.mark.parametrize("command", ["show", "audition"])
def test_the_shell_completes_names_of_mixes(ask, backstage, command):
    assert ask("mix", "plan", "completed", "1", "--replace")[0] == 0
    asked = {
        "_SFA_COMPLETE": "zsh_complete",
        "COMP_WORDS": f"sfa mix {command} comp",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main"],
        env={**os.environ, **backstage, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "completed\n1 tracks" in done.stdout


def test_this_is_the_track_of_the_deck_that_is_heard(ask, monkeypatch):
    decks = [
        {"loaded": True, "playing": True, "level_db": -30.0, "path": "/x/none.sfa"},
        {"loaded": True, "playing": True, "level_db": -6.0, "path": ""},
    ]

    class Engine:
        """An engine with two decks that play."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def call(self, method, **_):
            return {"status": {"decks": decks}, "get": {"value": "deck1"}}[method]

    monkeypatch.setattr("sfa_engine.cli.library_words.connect", Engine)
    found = json.loads(ask("library", "search", "halcyon", "--json")[1])["tracks"][0]
    said = '"this" names no track here'
    assert said in ask("library", "search", "around 120", "goes with this")[2]
    decks[1]["path"] = f"/anywhere/{Path(found['bundle']).name}"
    assert said in ask("library", "search", "around 120", "goes with this")[2]  # not the library's
    decks[1]["path"] = found["bundle"]
    assert said not in ask("library", "search", "around 120", "goes with this")[2]


def test_the_tags_of_the_library_are_listed(ask):
    status, out, err = ask("library", "tags")
    assert (status, out) == (0, "")
    assert re.fullmatch(r"0 of \d+ tracks? with tags\n", err)
    said = json.loads(ask("library", "tags", "--json")[1])
    assert (said["tags"], said["tagged"]) == ([], 0)


def test_a_whole_mix_is_rendered_and_copied(ask, tmp_path):
    assert ask("mix", "plan", "heard", "1", "--replace")[0] == 0
    target = tmp_path / "heard.flac"
    status, out, err = ask("mix", "audition", "heard", "-o", target)
    assert status == 0, err
    shown = out.splitlines()
    assert shown[0].startswith("longest silence: ")
    assert shown[1:] == [f"sound: {target} (0:20.5)", f"picture: {tmp_path / 'heard.svg'}"]
    assert target.read_bytes()[:4] == b"fLaC"
    assert (tmp_path / "heard.svg").read_text().startswith("<svg")
    said = json.loads(ask("mix", "audition", "heard", "--json")[1])
    assert said["done"]
    assert said["goals"] == []
    assert ask("mix", "audition", "heard", "-o", tmp_path / "x.wav")[0] == 1
    assert ask("mix", "audition", "heard", "1")[2] == ('sfa: no transition 1; "heard" has 0\n')


@pytest.mark.parametrize(
    ("transition", "seconds", "loaded", "line"),
    [
        (None, None, True, "deck 1  A"),
        (None, None, False, "deck 1  A: to be loaded"),
        ({"kind": "cut"}, None, True, "deck 1  A: cut"),
        (
            {"kind": "blend", "bars": 4},
            12.2,
            False,
            "deck 1  A: blend of 4 bars in 12 s, to be loaded",
        ),
    ],
)
def test_what_comes_next_is_one_line(transition, seconds, loaded, line):
    state = {"running": True, "name": "x", "place": 1, "tracks": 2, "now": None, "note": ""}
    state |= {"taken": [], "dropped": [], "transition": transition, "transition_in_s": seconds}
    assert lines({**state, "next": {"deck": 1, "name": "A", "loaded": loaded}})[1] == line
