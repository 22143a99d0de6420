"""A search in words of tracks that were really prepared."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import prepared, song

from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def test_an_analysed_track_is_found_by_what_it_is_like(
    client: SocketClient, tmp_path: Path
) -> None:
    for seed, bpm in enumerate((120.0, 121.0, 150.0), 1):
        prepared(client, song(tmp_path / f"beat {bpm:.0f}.wav", bpm=bpm, seed=seed))
    found = client.call("library.search_words", words="around 121, even")
    assert found["count"] == 2
    assert any("of your library" in why for why in found["tracks"][0]["reasons"])
    (first, second) = (track["id"] for track in found["tracks"])
    assert [t["id"] for t in client.call("library.compatible", track=first)["tracks"]] == [second]
    similar = client.call("library.similar", track=first)
    assert similar["notes"] == []
    assert similar["tracks"][0]["id"] == second
    assert "sounds closer than" in similar["tracks"][0]["reasons"][0]
