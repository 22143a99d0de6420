"""`sfa library` where something may be lost: it asks, verifies, and keeps what was."""

from __future__ import annotations

import json
import os
import pty
import select
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.cli.confirm import confirm
from sfa_engine.system.process_lock import lock_holder

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture
def song(tmp_path: Path) -> Path:
    sound = np.random.default_rng(1).standard_normal((4 * RATE, 2)) * 0.1
    soundfile.write(tmp_path / "song.wav", sound, RATE)
    return tmp_path / "song.wav"


def test_without_a_terminal_a_question_is_refused_unless_it_is_answered(ask):
    assert ask("library", "playlist", "add", "Kept", "#1")[0] == 0
    status, _, err = ask("library", "playlist", "drop", "Kept")
    assert status == 1
    assert err == (
        'sfa: Delete the playlist "Kept" (1 track) for good? There is no terminal to ask on;'
        " add --yes\n"
    )
    assert ask("library", "playlist", "show", "Kept")[0] == 0
    assert ask("library", "playlist", "drop", "Kept", "--yes")[0] == 0
    assert ask("library", "playlist", "drop", "Kept", "--yes")[0] == 1


def test_what_somebody_set_by_hand_is_not_deleted_unasked(ask):
    number = ask("library", "cue", "#1", "2.5")[1].split()[1]
    assert ask("library", "delete-cue", number)[0] == 1
    assert ask("library", "delete-cue", number, "--yes")[0] == 0
    assert ask("library", "grid", "#1", "--automatic")[0] == 0  # there is none by hand
    assert ask("library", "grid", "#1", "--halve")[0] == 0
    status, _, err = ask("library", "grid", "#1", "--automatic")
    assert (status, 'grid by hand of "Orbital - Halcyon"' in err) == (1, True)
    assert ask("library", "grid", "#1", "--automatic", "--yes")[1].startswith("120.000 BPM")


def test_the_trash_is_emptied_when_that_is_confirmed(sfa, song):
    assert sfa("prep", "--no-stems", "--quiet", song)[0] == 0
    assert sfa("library", "trash", "--empty")[0] == 0  # there is nothing to lose
    assert sfa("library", "remove", "song")[0] == 0
    status, _, err = sfa("library", "trash", "--empty", stdin="y\n")
    assert (status, err) == (
        1, "sfa: Delete 1 track for good? There is no terminal to ask on; add --yes\n",
    )  # fmt: skip
    assert json.loads(sfa("library", "trash", "--json")[1])["count"] == 1
    assert sfa("library", "trash", "--empty", "--yes")[1].endswith("1 track is gone for good\n")


@pytest.mark.parametrize(("typed", "goes_on"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_on_a_terminal_the_answer_counts(typed, goes_on):
    main, other = pty.openpty()
    code = "from sfa_engine.cli.confirm import confirm; confirm('Sure?', yes=False); print('on')"
    os.write(main, typed.encode())
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=other, capture_output=True, text=True, check=False
    )
    os.close(main)
    os.close(other)
    assert (done.stdout == "on\n") is goes_on
    assert "Sure?" in done.stderr


def test_yes_asks_nothing():
    confirm("Sure?", yes=True)


def test_a_backup_is_restored_and_the_library_as_it_was_is_kept(sfa, song, tmp_path):
    assert sfa("prep", "--no-stems", "--quiet", song)[0] == 0
    first, second = (sfa("library", "backup")[1].strip() for _ in range(2))
    assert Path(first).exists()
    assert Path(second).exists()
    assert sfa("library", "edit", "#1", "--title", "Changed")[0] == 0
    status, _, err = sfa("library", "restore", first)
    assert (status, "add --yes" in err) == (1, True)
    assert "Changed" in sfa("library", "search")[1]
    status, out, err = sfa("library", "restore", Path(first).name, "--yes")
    assert status == 0, err
    kept = out.splitlines()[1].removeprefix("the library as it was is ")
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT title FROM tracks").fetchall() == [("Changed",)]
    assert "song" in sfa("library", "search", "--json")[1]
    assert sfa("library", "restore", "--yes")[1].startswith(f"restored from {second}")
    for wrong in (song, tmp_path / "none.db"):
        assert sfa("library", "restore", wrong, "--yes")[0] == 1
    assert "song" in sfa("library", "search", "--json")[1]


def test_a_library_is_not_replaced_under_a_backstage_that_runs(ask):
    made = ask("library", "backup")[1].strip()
    status, _, err = ask("library", "restore", made, "--yes")
    assert status == 1
    assert "backstage runs in" in err
    assert "`sfa stop`" in err


def test_a_missing_stem_is_no_repair_and_show_and_search_tell_it(sfa, song):
    assert sfa("prep", "--no-stems", "--quiet", song)[0] == 0
    bundle = Path(json.loads(sfa("library", "show", "song", "--json")[1])["bundle"])
    (bundle / "mix.wav").unlink()
    assert "damaged: " in sfa("library", "show", "song")[1]
    for _ in range(2):
        status, out, _ = sfa("library", "check", "--repair")
        assert status == 1
        assert out.splitlines()[0].endswith("; cannot be repaired: prepare it again")
        assert out.splitlines()[-1] == "1 found, 1 left"
    assert "  failed: check: its bundle cannot be read" in sfa("library", "show", "song")[1]
    assert "failed" in sfa("library", "search", "song")[1].splitlines()[1]
    assert sfa("prep", "--no-stems", "--quiet", song)[0] == 0
    assert sfa("library", "check", "--repair")[:2] == (0, "all is well\n")
    assert "failed" not in sfa("library", "search", "song")[1]


def test_what_is_thought_of_a_track_is_stated_and_shown(ask):
    assert ask(
        *("library", "edit", "#1", "--rating", 4),
        *("--comment", "warm up", "--colour", "Blue"),
    ) == (0, "Orbital - Halcyon\n", "")  # fmt: skip
    assert '  ★★★★☆, blue, "warm up"\n' in ask("library", "show", "#1")[1]
    found = json.loads(ask("library", "search", "rating:4", "colour:blue", "--json")[1])
    assert found["count"] == 1
    assert ask("library", "edit", "#1", "--rating", 0, "--comment", "", "--color", "")[0] == 0
    assert ask("library", "history") == (0, "", "no plays yet\n")


def test_what_is_left_to_the_background_is_done_without_an_engine(sfa, song, tmp_path):
    status, out, err = sfa("prep", "-b", "--no-stems", song)
    assert (status, out) == (0, "1 to prepare; see `sfa jobs list`\n")
    assert err.startswith("no engine runs: backstage goes on by itself until all is prepared")
    lock = tmp_path / "run" / "backstage.lock"
    pid = lock_holder(lock)
    assert pid
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(60_000), "backstage did not end when all was done"
    os.close(pidfd)
    (track,) = json.loads(sfa("library", "search", "--json")[1])["tracks"]
    assert track["state"] == "ready"


def test_a_script_takes_words_of_the_library(sfa, song, tmp_path):
    assert sfa("prep", "--no-stems", "--quiet", song)[0] == 0
    (tmp_path / "a.mix").write_text('0 load 1 "song"\n0 set deck1.play on\n1 end\n')
    status, out, err = sfa("render", tmp_path / "a.mix", "-o", tmp_path / "a.wav", "--quiet")
    assert status == 0, err
    assert "silence" not in out
    (tmp_path / "b.mix").write_text('0 load 1 "nothing like it"\n1 end\n')
    status, _, err = sfa("render", tmp_path / "b.mix", "-o", tmp_path / "b.wav", "--quiet")
    assert (status, 'no track "nothing like it"' in err) == (1, True)
    (tmp_path / "c.mix").write_text("0 load 1 none.sfa\n1 end\n")
    status, _, err = sfa("render", tmp_path / "c.mix", "-o", tmp_path / "c.wav", "--quiet")
    assert (status, "none.sfa" in err) == (1, True)


def test_a_script_with_words_and_no_library_says_what_to_do(sfa, tmp_path):
    (tmp_path / "a.mix").write_text('0 load 1 "song"\n1 end\n')
    status, _, err = sfa("render", tmp_path / "a.mix", "-o", tmp_path / "a.wav", "--quiet")
    assert status == 1
    assert "`sfa prep`" in err
