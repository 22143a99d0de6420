"""Backstage's socket: what a client asked for is done, whether it waits or not."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from house import house

from sfa_engine.wire import BACKSTAGE, frames
from sfa_engine.wire.messages import REQUEST

pytestmark = pytest.mark.slow


def test_what_a_client_asked_for_is_done_though_it_left_at_once(tmp_path: Path) -> None:
    with house(tmp_path) as here, here.start() as client:
        for number in range(5):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(str(here.runtime / BACKSTAGE))
                asked = {"name": f"list {number}"}
                line.sendall(frames.pack([REQUEST, 1, "library.playlist_add", asked]))
        give_up = time.monotonic() + 10.0
        while len(client.call("library.playlists")["playlists"]) < 5:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        assert "Traceback" not in here.log


def test_the_library_is_there_without_the_cluster(tmp_path: Path) -> None:
    with house(tmp_path) as here:
        here.configure(
            f'[backstage]\nexecutor = "dask"\ndask = "tcp://127.0.0.1:9"\nshared = "{tmp_path}"\n'
        )
        with here.start() as client:
            assert client.call("library.playlists") == {"playlists": []}
