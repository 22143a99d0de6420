"""``library.numbers``, ``library.rows``, and what a page edits: cues, grids, names of playlists."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import prepared, song

from sfa_engine.errors import Refused, SfaError
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def test_rows_come_by_number_in_the_order_of_the_query(
    client: SocketClient, tmp_path: Path
) -> None:
    for seed, name in enumerate(("b", "c", "a")):
        prepared(client, song(tmp_path / f"{name}.wav", seed=seed))
    found = client.call("library.numbers", words="sort:title")
    assert found["count"] == 3
    rows = client.call("library.rows", tracks=[*reversed(found["tracks"]), 999])["tracks"]
    assert [row["title"] for row in rows] == ["c", "b", "a"]
    assert rows[0] | {"state": "ready", "rating": 0, "job": None, "has_cover": False} == rows[0]
    assert client.call("library.numbers", words="nothing")["tracks"] == []
    client.call("library.remove", track=found["tracks"][0])
    assert client.call("library.rows", tracks=[found["tracks"][0]])["tracks"] == []


def test_long_texts_are_cut_in_rows(client: SocketClient, tmp_path: Path) -> None:
    prepared(client, song(tmp_path / "song.wav"))
    (track,) = client.call("library.numbers")["tracks"]
    client.call("library.edit", track=track, values={"title": "x" * 500})
    (row,) = client.call("library.rows", tracks=[track])["tracks"]
    assert row["title"] == "x" * 300


def test_a_failed_track_names_the_job_to_retry(client: SocketClient, tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav")
    prepared(client, path)
    (track,) = client.call("library.numbers")["tracks"]
    job = client.call("prep.separate", track=track, engine="demucs", model="absent")["jobs"][0]
    while client.call("jobs.show", job=job)["state"] not in {"failed", "done"}:
        pass
    (row,) = client.call("library.rows", tracks=[track])["tracks"]
    assert (row["state"], row["job"]) == ("failed", job)


def test_an_edited_cue_moves_and_an_undone_edit_restores_it(
    client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav"))
    cue = client.call("library.cue", track="song", position_s=1.5, hot_cue=3, label="one")
    other = client.call("library.cue", track="song", position_s=2.5, hot_cue=4)
    moved = client.call(
        "library.edit_cue", cue=cue["id"], values={"position_s": 2.0, "color": "#ff8800", "slot": 4}
    )
    assert (moved["position_s"], moved["slot"], moved["label"]) == (2.0, 4, "one")
    there = {each["id"]: each for each in client.call("library.show", track="song")["cues"]}
    assert there[other["id"]]["slot"] is None
    kept = {name: cue[name] for name in ("position_s", "slot", "label", "color")}
    assert client.call("library.edit_cue", cue=cue["id"], values=kept) == cue
    for values in ({"position_s": 1e9}, {"place": 1.0}, {"slot": 99}):
        with pytest.raises(Refused):
            client.call("library.edit_cue", cue=cue["id"], values=values)
    with pytest.raises(SfaError):
        client.call("library.edit_cue", cue=999, values={})


def test_a_whole_grid_is_restored(client: SocketClient, tmp_path: Path) -> None:
    prepared(client, song(tmp_path / "song.wav"))
    client.call("library.grid", track="song", shift=0.5)
    before = client.call("library.show", track="song")["grid"]
    client.call("library.grid", track="song", tempo="halve")
    names = ("rate", "anchors", "bpm", "beats_per_bar")
    kept = {name: before[name] for name in names}
    assert client.call("library.set_grid", track="song", **kept) == before
    with pytest.raises(Refused):
        client.call(
            "library.set_grid", track="song", **{**kept, "anchors": [[5.0, 1.0], [0.0, 2.0]]}
        )


def test_a_playlist_is_renamed(client: SocketClient) -> None:
    client.call("library.playlist_add", name="Friday")
    client.call("library.playlist_add", name="Warm-up")
    client.call("library.playlist_rename", name="friday", to="Saturday")
    names = [each["name"] for each in client.call("library.playlists")["playlists"]]
    assert names == ["Saturday", "Warm-up"]
    with pytest.raises(Refused, match="exists"):
        client.call("library.playlist_rename", name="Saturday", to="warm-up")
