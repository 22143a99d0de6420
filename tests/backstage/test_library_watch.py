"""``library.watch``: whoever keeps a track on a deck hears that the library changed it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from house import House, prepared, song

from sfa_engine.errors import Refused
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


@pytest.fixture
def bundle(client: SocketClient, tmp_path: Path) -> Path:
    prepared(client, song(tmp_path / "song.wav", seconds=6.0))
    return Path(client.call("library.find", words="song")["bundle"])


def test_every_change_of_a_track_is_told_with_the_name_of_its_bundle(
    here: House, client: SocketClient, bundle: Path
) -> None:
    with here.connect() as watcher:
        watcher.call("library.watch")
        news = watcher.notifications()
        for method, params in (
            ("library.edit", {"track": "song", "values": {"key": "A minor"}}),
            ("library.grid", {"track": "song", "bpm": 121.0}),
            ("library.cue", {"track": "song", "position_s": 1.0, "hot_cue": 7}),
            ("library.save_hotcues", {"bundle": str(bundle), "hotcues": {"7": None}}),
        ):
            client.call(method, **params)
            assert next(news) == ("track", {"track": 1, "bundle": bundle.name, "owners": [0]})
        watcher.call("library.unwatch")
        client.call("library.edit", track="song", values={"title": "song 2"})
        watcher.call("jobs.watch")  # and an analysis is told too, as a job alone
        assert watcher.call("library.hotcues", bundle=str(bundle))["track"] == 1


def test_the_hot_cues_of_a_bundle_are_told_in_seconds(client: SocketClient, bundle: Path) -> None:
    client.call("library.save_hotcues", bundle=str(bundle), hotcues={"32": 2.5, "1": None})
    said = client.call("library.hotcues", bundle=str(bundle))
    by_slot = {cue["slot"]: cue for cue in said["cues"]}
    assert by_slot[32]["position_s"] == 2.5
    assert 1 not in by_slot
    with pytest.raises(Refused, match="not in the library"):
        client.call("library.hotcues", bundle=str(bundle.parent.parent / bundle.name))


def test_the_stage_does_not_keep_a_temporary_backstage(here: House) -> None:
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "sfa_engine.run.backstage_process", "--temporary"),
            *("--runtime", str(here.runtime)),
        ],
        env=here.env,
    )
    while not (here.runtime / BACKSTAGE_SOCKET).exists():
        assert running.poll() is None
    with SocketClient(here.runtime / BACKSTAGE_SOCKET, 30.0, "backstage", kind="stage") as stage:
        stage.call("library.watch")
        assert running.wait(30.0) == 0
