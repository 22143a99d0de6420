"""The step `tag`: tracks get tags after they are ready, and are ready without."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from house import House, prepared, song, until_ended

from sfa_engine.backstage.job import Kind
from sfa_engine.backstage.steps.plans import TAG_PRIORITY, PrepOptions, prepare, reanalyse
from sfa_engine.cli.track_details import details
from sfa_engine.wire.blocking import SocketClient

slow = pytest.mark.slow


@pytest.fixture
def here(here: House) -> House:
    """Tags are on, as with a user."""
    here.configure("[analysis]\ntags = true\n")
    return here


def tag_jobs(client: SocketClient) -> list[dict[str, Any]]:
    return [job for job in client.call("jobs.list")["jobs"] if job["kind"] == "tag"]


def stored(here: House) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(here.data / "library.db", timeout=10.0)) as library:
        return library.execute(
            "SELECT id, track_id, version, length(vector), length(measures) FROM sound_tags"
        ).fetchall()


def change(here: House, statement: str) -> None:
    with closing(sqlite3.connect(here.data / "library.db", timeout=10.0)) as library, library:
        library.execute(statement)


# Run at the start of each Python: the worker's weights are elsewhere.
HIDE = """
import sys
if "sfa_engine.prep.tag" in sys.orig_argv:
    from pathlib import Path
    from sfa_engine.prep.tag import net
    net.load_nets.__defaults__ = (Path("/gone/musicnn.npz"),)
"""


def test_tags_come_last_and_after_every_track_that_waits_to_be_ready() -> None:
    plans = prepare(1, "a", PrepOptions(priority=5))
    assert plans[-1].kind is Kind.TAG
    assert plans[-1].needs_last
    assert [plan.priority for plan in plans] == [5, 5, 5, 5 + TAG_PRIORITY]
    assert [plan.kind for plan in reanalyse(1, "a")] == [Kind.ANALYSE, Kind.CUE, Kind.TAG]


@slow
def test_a_track_is_tagged_once_and_its_tags_are_shown_and_searched(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    paths = [song(tmp_path / "beat one.wav"), song(tmp_path / "beat two.wav", seed=4, bpm=124.0)]
    counts = prepared(client, *paths)["counts"]
    assert counts["failed"] == 0
    rows = stored(here)
    assert sorted(each[1:] for each in rows) == [(n, 1, 1600, 400) for n in (1, 2)]
    shown = client.call("library.show", track=1)
    tags = shown["sound_tags"]
    assert tags
    assert all(0.1 <= each["probability"] <= 1.0 for each in tags)
    line = next(line for line in details(shown) if "sounds like" in line)
    assert line.startswith(f"  sounds like {tags[0]['name']} .")
    # The tag that it has most of finds it, if it is a word of a search.
    assert tags[0]["name"] in {"techno", "electronic", "drums", "beats", "house", "fast"}
    found = client.call("library.similar", track=1)["tracks"]
    assert [track["id"] for track in found] == [2]
    # The same sound in the same version is not tagged again.
    prepared(client, paths[0])
    assert stored(here) == rows
    assert tag_jobs(client)[0]["state"] == "skipped"


@slow
def test_reanalysis_tags_what_has_no_tags_or_older_ones(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, *(song(tmp_path / f"{n}.wav", seconds=6.0, seed=n) for n in (1, 2, 3)))
    assert client.call("library.reanalyse", outdated=True, dry_run=True)["tracks"] == 0
    change(here, "DELETE FROM sound_tags WHERE track_id = 1")
    change(here, "UPDATE sound_tags SET version = 0 WHERE track_id = 2")
    said = client.call("library.reanalyse", outdated=True)
    assert (said["tracks"], said["count"]) == (2, 2)  # tags alone, no other analysis
    assert until_ended(client, said["batch"])["counts"]["done"] == 2
    assert {(track, version) for _, track, version, *_ in stored(here)} == {(1, 1), (2, 1), (3, 1)}
    reported = client.call("library.reanalysed", batch=said["batch"])["tracks"]
    assert [(each["id"], each["state"], each["changes"]) for each in reported] == [
        (1, "done", {}), (2, "done", {}),
    ]  # fmt: skip
    # An analysis that is repeated leaves tags that are current.
    before = stored(here)
    batch = client.call("library.reanalyse", words="#3")["batch"]
    assert until_ended(client, batch)["counts"] == {
        "waiting": 0, "running": 0, "failed": 0, "cancelled": 0, "done": 2, "skipped": 1,
    }  # fmt: skip
    assert stored(here) == before


@slow
def test_another_sound_of_a_track_gets_other_tags(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav", seconds=6.0)
    prepared(client, path)
    (before,) = stored(here)
    change(here, "UPDATE sound_tags SET digest = 'of another sound'")
    prepared(client, path)
    (now,) = stored(here)
    assert now[0] != before[0]


@slow
def test_tags_can_be_turned_off(here: House, tmp_path: Path) -> None:
    here.configure("[analysis]\ntags = false\n")
    with here.start() as client:
        prepared(client, song(tmp_path / "song.wav", seconds=6.0))
        (job,) = tag_jobs(client)
        assert job["state"] == "skipped"
        assert client.call("library.show", track=1)["sound_tags"] == []
        assert client.call("library.show", track=1)["state"] == "ready"
        assert client.call("library.reanalyse", outdated=True, dry_run=True)["tracks"] == 0
    assert stored(here) == []


@slow
def test_without_weights_the_track_is_ready_and_the_job_says_what_to_do(
    here: House, tmp_path: Path
) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(HIDE)
    here.env["PYTHONPATH"] = str(tmp_path / "hide")
    with here.start() as client:
        counts = prepared(client, song(tmp_path / "song.wav", seconds=6.0))["counts"]
        assert counts["failed"] == 1
        (job,) = tag_jobs(client)
        assert job["state"] == "failed"
        assert job["attempts"] == 1  # it would fail alike
        assert job["error"]["code"] == "model-missing"
        assert "[analysis] tags = false" in job["error"]["hint"]
        shown = client.call("library.show", track=1)
        assert (shown["state"], shown["problem"]) == ("ready", "")
        assert shown["cues"]
    here.stop()
    del here.env["PYTHONPATH"]
    with here.start() as client:  # with them again
        said = client.call("library.reanalyse", outdated=True)
        assert until_ended(client, said["batch"])["counts"]["done"] == 1
    assert len(stored(here)) == 1


@slow
def test_a_damaged_bundle_fails_the_tags_alone(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav", seconds=6.0))
    change(here, "DELETE FROM sound_tags")
    bundle = Path(client.call("library.show", track=1)["bundle"])
    for pcm in bundle.glob("*.wav"):
        pcm.write_bytes(pcm.read_bytes()[:5000])
    said = client.call("library.reanalyse", outdated=True)
    assert until_ended(client, said["batch"])["counts"]["failed"] == 1
    assert client.call("library.show", track=1)["state"] == "ready"
    shutil.rmtree(bundle)
    said = client.call("library.reanalyse", outdated=True)
    assert until_ended(client, said["batch"])["counts"]["failed"] == 1
