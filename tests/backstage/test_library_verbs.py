"""``library.*`` on a real backstage: hot cues, corrections, playlists, removal; odd requests."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from house import House, house, prepared, song

from sfa_engine.errors import Refused
from sfa_engine.track.media import MAX_CUES, read_bundle
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketClient]:
    """Lend a client of a backstage without tracks, the same to all."""
    with house(tmp_path_factory.mktemp("empty")) as here, here.start() as client:
        yield client


def test_a_correction_and_a_cue_by_hand_survive_another_analysis(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav")
    prepared(client, path)
    before = client.call("library.show", track="song")["grid"]["anchors"][0]
    client.call("library.grid", track="song", shift=1.0)
    client.call("library.cue", track="song", position_s=3.25, hot_cue=1, label="mine")
    prepared(client, path, again=True)
    said = client.call("library.show", track="song")
    assert said["grid"]["by_hand"]
    moved = said["grid"]["anchors"][0]
    assert moved[1] - moved[0] / 24_000 == pytest.approx(
        before[1] - before[0] / 24_000 - 1, abs=1e-3
    )
    (mine,) = [cue for cue in said["cues"] if cue["by_hand"]]
    assert (mine["position_s"], mine["slot"], mine["label"]) == (3.25, 1, "mine")
    (kept,) = [cue for cue in read_bundle(said["bundle"]).track.cues if cue.by_hand]
    assert (kept.position_frames, kept.hot_cue) == (round(3.25 * 48_000), 1)


def test_hot_cues_of_a_performer_are_saved_and_cleared(
    client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav"))
    bundle = client.call("library.find", words="song")["bundle"]
    client.call("library.save_hotcues", bundle=bundle, hotcues={"8": 4.5, "7": 1.0})
    client.call("library.save_hotcues", bundle=bundle, hotcues={"7": None})
    cues = client.call("library.show", track="song")["cues"]
    by_slot = {cue["slot"]: cue for cue in cues if cue["slot"]}
    assert by_slot[8]["position_s"] == 4.5
    assert by_slot[8]["by_hand"]
    assert 7 not in by_slot


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prep.add", {"sources": ["/no/such/file.wav"]}),
        ("prep.add", {"sources": "song.wav"}),
        ("prep.add", {"sources": [], "engine": "demuks"}),
        ("prep.add", {"sources": [], "priority": 1e9}),
        ("prep.add", {"sources": ["ftp://example.com/x.wav"]}),
        ("jobs.show", {"job": 999}),
        ("jobs.show", {"job": "one"}),
        ("jobs.list", {"states": ["lost"]}),
        ("jobs.retry", {}),
        ("jobs.cancel", {"jobs": [True]}),
        ("jobs.cancel", {"jobs": 5}),
        ("jobs.list", {"states": None}),
        ("library.playlist_add", {"name": "x", "tracks": 5}),
        ("library.edit", {"track": 1, "values": {"title": 5}}),
        ("library.save_hotcues", {"bundle": "a" * 4096, "hotcues": {"1": 1.0}}),
        ("library.search", {"words": "bpm:" + "9" * 400}),
        ("library.search", {"words": "bmp:120"}),
        ("library.search", {"words": "", "limit": 0}),
        ("library.find", {"words": "nothing"}),
        ("library.grid", {"track": 1, "shift": 1, "bpm": 120}),
        ("library.save_hotcues", {"bundle": "/etc", "hotcues": {"1": 1.0}}),
        ("library.save_hotcues", {"bundle": "/etc", "hotcues": {"33": 1.0}}),
        ("library.save_hotcues", {"bundle": "/etc", "hotcues": {"1": {"label": "x"}}}),
        ("library.save_memory_cue", {"bundle": "/etc", "position_s": 1.0}),
        ("library.save_memory_cue", {"bundle": "/etc", "position_s": 2.0, "end_s": 1.0}),
        ("library.save_grid", {"bundle": "/etc", "rate": 48_000}),
        ("library.save_grid", {"bundle": "/etc", "rate": 48_000, "anchors": [[5, 0], [1, 1]]}),
        ("library.save_grid", {"bundle": "/etc", "rate": 48_000, "anchors": [[0, 0], [1, 9]]}),
        ("library.save_grid", {"bundle": "/etc", "rate": 48_000, "anchors": [[0.0]]}),
        ("library.restore", {"track": 12}),
        ("library.playlist", {"name": "none"}),
        ("library.cue", {"track": 1, "position_s": float("nan")}),
        ("no.such", {}),
    ],
)
def test_odd_requests_are_refused_with_a_sentence(
    empty: SocketClient, method: str, params: dict[str, object]
) -> None:
    with pytest.raises(Refused) as caught:
        empty.call(method, **params)
    assert caught.value.code != "fault"
    assert caught.value.message
    assert "\n" not in caught.value.message
    assert empty.call("jobs.list")["counts"]["waiting"] == 0


def test_a_track_that_is_removed_while_it_is_prepared_can_be_restored(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "Going.wav")
    prepared(client, path)
    client.call("jobs.watch")
    client.call("prep.add", sources=[str(path)], engine="none", again=True)
    for _, event in client.notifications():
        if event["kind"] == "analyse" and event["state"] == "running":
            break
    gone = client.call("library.remove", track=event["track"])
    assert client.call("jobs.list", states=["running", "waiting"])["jobs"] == []
    assert not Path(gone["bundle"]).exists()
    assert client.call("library.check")["findings"] == []
    back = client.call("library.restore", track=event["track"])
    assert Path(back["bundle"]).is_dir()


def test_a_track_may_have_as_many_cues_as_its_bundle(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav", seconds=6.0))
    there = len(client.call("library.show", track="song")["cues"])
    with closing(sqlite3.connect(here.data / "library.db", isolation_level=None)) as library:
        library.execute("BEGIN IMMEDIATE")
        library.executemany(
            "INSERT INTO cues (track_id, origin, kind, position_s, changed_at)"
            " VALUES (1, 'hand', 'cue', ?, 0)",
            [(1 + number / 1000,) for number in range(MAX_CUES - 1 - there)],
        )
        library.execute("COMMIT")
    client.call("library.cue", track="song", position_s=3.0)
    assert len(read_bundle(client.call("library.find", words="song")["bundle"]).track.cues) == 1000
    with pytest.raises(Refused, match="too many cues; 1000 are the most"):
        client.call("library.cue", track="song", position_s=4.0)


def test_playlists_removal_and_restoring(client: SocketClient, tmp_path: Path) -> None:
    prepared(client, song(tmp_path / "one.wav"), song(tmp_path / "two.wav", seed=2))
    client.call("library.playlist_add", name="Friday", tracks=["two", "one", "two"])
    names = [e["name"] for e in client.call("library.playlist", name="friday")["entries"]]
    assert names == ["two", "one", "two"]
    bundle = Path(client.call("library.find", words="one")["bundle"])
    number = client.call("library.remove", track="one")["id"]
    assert not bundle.exists()
    with pytest.raises(Refused):
        client.call("library.find", words="one")
    client.call("library.restore", track=number)
    assert bundle.exists()
    assert client.call("library.check") == {"findings": [], "share": 1.0, "after": ""}
