"""A preview of a library track: auditioned like stems, labelled, and replaced by the full ones."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from house import House, prepared, song

from sfa_engine.errors import Refused
from sfa_engine.track.media import read_bundle
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def sfa(here: House, *words: str) -> tuple[int, str, str]:
    """Run the command beside a house."""
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main", "library", *words],
        env=here.env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_preview_is_labelled_everywhere_and_replaced_by_the_full_separation(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav", seconds=6.0)
    prepared(client, path)
    before = client.call("library.show", track="song")
    asked = ("separate", "song", "--engine", "sketch")

    status, out, err = sfa(here, *asked, "--preview", "--seconds", "2")
    assert status == 0, err
    assert "✓ separate" in err
    assert out.startswith("vocals, drums, bass, other by sketch, 0:0")
    assert "audition them with `sfa load 1 '#1' --position 0:0" in out
    now = client.call("library.show", track="song")
    assert now["preview"]
    start_s, end_s = now["preview_s"]
    assert end_s - start_s == pytest.approx(2.0)
    assert {stem["preview"] for stem in now["origins"]} == {True}
    assert now["duration_s"] == before["duration_s"]
    assert now["grid"]["bpm"] == before["grid"]["bpm"]
    moved_s = now["grid"]["first_downbeat_s"] - before["grid"]["first_downbeat_s"]
    assert abs(moved_s) < 1e-4  # the stems add up to the mix but for their rounding
    assert len(read_bundle(now["bundle"]).track.stems) == 4
    assert "  a preview: only 0:0" in sfa(here, "show", "song")[1]
    assert "preview" in sfa(here, "search", "song")[1]

    # Preparing the file again separates all of it; no --again is needed.
    (listed,) = prepared(client, path, engine="sketch")["tracks"]
    assert (listed["preview"], len(listed["stems"])) == (False, 4)
    full = client.call("library.show", track="song")
    assert full["preview_s"] is None
    assert not full["preview"]
    assert read_bundle(full["bundle"]).track.separation.preview is None
    give_up = time.monotonic() + 10.0
    while findings := client.call("library.check")["findings"]:  # the manifest is written last
        assert time.monotonic() < give_up, findings
        time.sleep(0.05)

    status, out, _ = sfa(here, *asked, "--preview")
    assert (status, out) == (0, "not separated: it has stems (sketch)\n")
    assert not client.call("library.show", track="song")["preview"]


@pytest.mark.nightly
def test_the_whole_is_separated_by_name_and_its_result_says_what_was_made(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    prepared(client, song(tmp_path / "song.wav", seconds=6.0))
    status, out, _ = sfa(here, "separate", "#1", "-m", "sketch", "--json", "--quiet")
    result = json.loads(out.splitlines()[-1])["result"]
    assert (status, result["engine"], len(result["stems"])) == (0, "sketch", 4)
    assert (result["start_s"], result["end_s"]) == (0.0, pytest.approx(6.0))
    assert client.call("library.show", track=1)["preview_s"] is None


def test_what_cannot_be_a_preview_is_refused(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    assert sfa(here, "separate", "song", "--seconds", "5")[2] == (
        "sfa: --seconds is the length of a preview; add --preview\n"
    )
    with pytest.raises(Refused, match="no track"):
        client.call("prep.separate", track="song", preview_s=60.0)
    prepared(client, song(tmp_path / "song.wav", seconds=6.0))
    for seconds in (0.5, 601.0, -1.0, float("nan")):
        with pytest.raises(Refused):
            client.call("prep.separate", track="song", preview_s=seconds)
