"""The curves of a track: made by its analysis, made again when they are missing or of old."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import prepared, song

from sfa_engine.track.curves import FILE, VERSION, is_current, read_curves
from sfa_engine.track.media import read_bundle
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def test_curves_are_made_with_the_analysis_and_again_when_they_are_gone_or_old(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav", seconds=8.0)
    prepared(client, path)
    bundle = Path(client.call("library.find", words="song")["bundle"])
    digest = read_bundle(bundle).track.digest
    curves = read_curves(bundle)
    assert curves.digest == digest
    assert curves.tables["peaks/mix"].rows == 8 * 150
    assert curves.tables["chroma"].rows == 16
    splices = curves.splices()
    assert len(splices)
    assert (splices[:-1] < splices[1:]).all()
    assert prepared(client, path)["counts"]["skipped"] >= 2  # analysed before, with its curves
    text = bytearray((bundle / FILE).read_bytes())
    text[8] = VERSION + 1
    (bundle / FILE).write_bytes(text)
    (finding,) = client.call("library.check")["findings"]
    assert finding["drift"] == "old-curves"
    client.call("library.check", repair=True)
    assert not (bundle / FILE).exists()
    assert client.call("library.check")["findings"] == []
    prepared(client, path)
    assert is_current(bundle, digest, ["mix"])
