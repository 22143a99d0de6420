"""The command line beside a library that does not fit into one answer."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sfa_engine.library.folding import FUNCTION, fold

pytestmark = pytest.mark.slow

MANY = 1300


@pytest.fixture
def crowd(backstage):
    """Put many tracks in that have lost their bundles; every second one was removed."""
    with closing(sqlite3.connect(Path(backstage["XDG_DATA_HOME"]) / "sfa/library.db")) as library:
        library.create_function(FUNCTION, 1, fold)
        library.executemany(
            "INSERT INTO tracks (uuid, title, artist, bundle, duration_s, state, deleted_at,"
            " added_at, changed_at) VALUES (?, ?, ?, ?, 60, 'ready', ?, 0, 0)",
            [
                (f"crowd {n}", f"no. {n}", "a band " * 20, f"{n}.sfa", n if n % 2 else None)
                for n in range(2 * MANY)
            ],
        )
        library.execute("INSERT INTO playlists (id, name, changed_at) VALUES (7, 'long', 0)")
        library.execute(
            "INSERT INTO playlist_entries (playlist_id, place, track_id)"
            " SELECT 7, id, id FROM tracks WHERE uuid LIKE 'crowd%'"
        )
        library.commit()
        yield
        library.execute("DELETE FROM playlists WHERE id = 7")
        library.execute("DELETE FROM tracks WHERE uuid LIKE 'crowd%'")
        library.commit()


@pytest.mark.usefixtures("crowd")
def test_a_search_gives_as_many_as_are_asked_for(ask):
    for limit, shown in ((1, 1), (1200, 1200), (5000, MANY)):
        status, out, err = ask("library", "search", "band", "--limit", limit, "--json")
        assert (status, err) == (0, "")
        said = json.loads(out)
        assert said["count"] == MANY
        assert len({track["id"] for track in said["tracks"]}) == shown
    assert ask("library", "search", "band", "--limit", 1)[1].endswith("1300 tracks, 1 shown\n")
    assert ask("library", "search", "band", "--limit", 0)[0] == 1


@pytest.mark.usefixtures("crowd")
def test_playlists_and_the_trash_are_told_whole(ask):
    assert len(ask("library", "playlist", "show", "long")[1].splitlines()) == MANY
    assert len(ask("library", "trash")[1].splitlines()) == MANY
    status, out, _ = ask("library", "trash", "--empty", "--yes")
    assert (status, out.splitlines()[-1]) == (0, "1300 tracks are gone for good")
    assert ask("library", "trash") == (0, "", "no removed tracks\n")


@pytest.mark.usefixtures("crowd")
def test_a_check_shows_how_far_it_is_and_tells_the_first_of_each_kind(ask):
    status, out, err = ask("library", "check")
    assert status == 1
    assert "checking the library" in err
    lines = out.splitlines()
    assert lines[-2] == "no-bundle: 1280 more; --json lists them all"
    assert lines[-1].startswith("1300 found, 1300 left")
    assert len(lines) == 22
    assert len(json.loads(ask("library", "check", "--json")[1])) == MANY
    assert len(ask("library", "check", "--repair")[1].splitlines()) == MANY + 1


def test_all_jobs_are_cancelled_and_retried_however_many(ask, tmp_path):
    for n in range(MANY):
        (tmp_path / "music" / str(n // 100)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / str(n // 100) / f"song {n}.wav").write_bytes(b"no sound")
    status, out, err = ask("prep", "-b", "--priority", -100, tmp_path / "music")
    assert (status, out) == (0, "1300 to prepare; see `sfa jobs list`\n"), err
    status, out, err = ask("jobs", "cancel", "--all")
    assert (status, err) == (0, "")
    word, count, what = out.split()
    assert (word, what) == ("cancelled:", "jobs")
    assert MANY - 200 < int(count) <= MANY  # some have failed since
    again = ask("prep", "-b", "--json", tmp_path / "music" / "0")[1]
    assert json.loads(again)["count"] == 100
    said = ask("jobs", "list", "--all", "--json")[1]
    assert len(json.loads(said)["jobs"]) >= 500
    ask("jobs", "cancel", "--all")
    assert ask("jobs", "cancel", "--all")[1] == "cancelled: none, nothing waits or runs\n"
