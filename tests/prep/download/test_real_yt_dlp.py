"""The real yt-dlp, through the worker, from a web server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sfa_engine.prep.decode import decode

pytest.importorskip("yt_dlp", reason="no yt-dlp: make setup EXTRAS=dev,download")
pytestmark = pytest.mark.slow


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(songs: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=songs))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(bench, url, **more):
    return bench.fetch(url, tools={}, **more)


@pytest.mark.parametrize(
    ("name", "quality", "ending"), [("three.mp3", "best", ".mp3"), ("three.flac", "192k", ".mp3")]
)
def test_it_brings_a_file_with_progress(bench, site, name, quality, ending):
    answers = fetch(bench, f"{site}/{name}", quality=quality, expected={"duration_s": 3.0})
    result = answers[-1]["result"]
    assert (result["tool"], result["title"]) == ("yt-dlp", "three")
    assert result["source_url"] == f"{site}/{name}"
    assert result["version"][:2] == "20"
    assert any(0.0 < answer["progress"] < 0.9 for answer in answers[:-1])
    assert bench.everything() == [f"three{ending}"]
    assert abs(len(decode(result["path"]).sound) / 48_000 - 3.0) < 0.1


@pytest.mark.parametrize(
    ("path", "code"), [("/gone.mp3", "no-result"), ("/page.html", "no-result")]
)
def test_it_reports_that_nothing_was_found(bench, site, path, code):
    assert fetch(bench, site + path)[-1]["code"] == code
    assert bench.everything() == []


def test_it_reports_an_unreachable_site(bench):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = fetch(bench, f"http://127.0.0.1:{port}/three.mp3")[-1]
    assert error["code"] == "network"
