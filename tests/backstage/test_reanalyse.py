"""`library.reanalyse` on a real backstage: what was set by hand stays, and changes are reported."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from house import House, prepared, song, until_ended

from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def sql(here: House, statement: str, *values: Any) -> None:
    """Change the library as no verb does."""
    with closing(sqlite3.connect(here.data / "library.db", timeout=10.0)) as library, library:
        library.execute(statement, values)


def sfa(here: House, *words: str, stdin: str = "") -> tuple[int, str, str]:
    """Run the command beside a house."""
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main", *words],
        env=here.env,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def batch_of(client: SocketClient) -> str:
    """Return the batch of the newest job."""
    number = client.call("jobs.list", limit=1)["jobs"][0]["id"]
    return str(client.call("jobs.show", job=number)["batches"][0])


def test_an_outdated_analysis_is_replaced_and_what_is_by_hand_stays(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav"), song(tmp_path / "other.wav", seconds=6.0, seed=2))
    client.call("library.edit", track="song", values={"key": "F# minor"})
    client.call("library.cue", track="song", position_s=3.25, hot_cue=1, label="mine")
    before = client.call("library.show", track="song")
    number = before["id"]
    # What an older version found: half the tempo and another key.
    older = "UPDATE analyses SET version = '1', bpm = 60, key = 'E major' WHERE track_id = ?"
    sql(here, older, number)
    sql(here, "UPDATE grids SET anchors = '[[0, 0]]', bpm = 60 WHERE track_id = ?", number)

    dry = client.call("library.reanalyse", outdated=True, dry_run=True)
    assert (dry["tracks"], dry["jobs"]) == (1, [])
    said = client.call("library.reanalyse", outdated=True)
    assert (said["tracks"], said["count"]) == (1, 3)
    assert until_ended(client, said["batch"])["counts"]["done"] == 2
    (report,) = client.call("library.reanalysed", batch=said["batch"])["tracks"]
    assert report["name"] == "song"
    assert report["changes"]["bpm"] == [60.0, pytest.approx(120.0, abs=0.02)]
    assert report["changes"]["key"][0] == "E major"
    assert report["by_hand"] == {"grid": False, "key": True, "cues": 1}
    now = client.call("library.show", track="song")
    assert now["key"] == "F# minor"
    assert now["grid"]["bpm"] == pytest.approx(120.0, abs=0.02)
    mine = [cue for cue in now["cues"] if cue["by_hand"]]
    assert [(cue["position_s"], cue["slot"], cue["label"]) for cue in mine] == [(3.25, 1, "mine")]
    assert client.call("library.reanalyse", outdated=True)["tracks"] == 0


def test_the_command_reports_each_track_and_keeps_a_grid_by_hand(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav"))
    client.call("library.grid", track="song", shift=1.0)
    by_hand = client.call("library.show", track="song")["grid"]
    status, out, err = sfa(here, "library", "reanalyse", "song")
    assert (status, out) == (0, "    1  song  (unchanged; kept by hand: grid)\n"), err
    assert "✓ analyse" in err
    sql(here, "UPDATE cues SET position_s = 5.5 WHERE kind = 'outro' OR label = 'first downbeat'")
    status, out, _ = sfa(here, "library", "reanalyse", "#1", "--json", "--quiet")
    report = json.loads(out.splitlines()[-1])
    assert status == 0
    assert report["tracks"][0]["changes"]["cues_gone"] >= 1
    assert client.call("library.show", track="song")["grid"] == by_hand

    # An analysis that fails is in the report.
    (Path(client.call("library.find", words="song")["bundle"]) / "mix.wav").write_bytes(b"RIFF")
    status, out, _ = sfa(here, "library", "reanalyse", "song", "--quiet")
    assert status == 1
    assert out == ""
    report = client.call("library.reanalysed", batch=batch_of(client))["tracks"]
    assert [each["state"] for each in report] == ["failed"]


def test_many_tracks_are_asked_about_first_and_no_query_is_not_all(
    here: House, client: SocketClient
) -> None:
    with closing(sqlite3.connect(here.data / "library.db", timeout=10.0)) as library, library:
        library.create_function("sfa_fold", 1, lambda text: text, deterministic=True)
        library.execute("PRAGMA trusted_schema = ON")
        library.executemany(
            "INSERT INTO tracks (uuid, title, bundle, duration_s, added_at, changed_at)"
            " VALUES (?, ?, ?, 1.0, 0, 0)",
            [(f"u{n}", f"many {n}", f"many {n}.sfa") for n in range(25)],
        )
    status, out, err = sfa(here, "library", "reanalyse", "many")
    assert (status, out) == (1, "")
    assert err == "sfa: Analyse 25 tracks again? There is no terminal to ask on; add --yes\n"
    assert client.call("jobs.list", states=["waiting", "running"])["jobs"] == []
    status, out, _ = sfa(here, "library", "reanalyse", "many", "--yes", "--background")
    assert (status, out) == (0, "75 jobs queued; see `sfa jobs list`\n")

    # What is not meant is refused.
    for words, said in (
        ([], "no track is named; give words as for a search, --outdated or --all"),
        (["song", "--all"], "a query and --all do not go together; leave one out"),
        (["bmp:120"], 'no search operator "bmp:"'),
    ):
        status, out, err = sfa(here, "library", "reanalyse", *words)
        assert (status, out) == (1, "")
        assert err.startswith(f"sfa: {said}")
