"""The quality of a download by request, down to the tool's arguments; the quota on the socket."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from house import House, prepared, song

from sfa_engine.errors import Refused

pytestmark = pytest.mark.slow

# As yt-dlp: writes what the template says, prints the line after the move, and ends with 101.
YT_DLP = """#!{python}
import json, shutil, sys
if "--version" in sys.argv:
    sys.exit(print("2026.1.1"))
with open({asked!r}, "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
shutil.copy({song!r}, "sound.wav")
about = {{"webpage_url": sys.argv[-1], "title": "Song", "artist": "Band"}}
print("sfa-result " + json.dumps(about))
sys.exit(101)
"""


@pytest.fixture
def asked(here: House, tmp_path: Path) -> Path:
    """Put a yt-dlp on the house's PATH; return the file of its arguments."""
    program = tmp_path / "bin" / "yt-dlp"
    program.parent.mkdir()
    listed = tmp_path / "asked"
    music = song(tmp_path / "music.wav", seconds=6.0)
    program.write_text(YT_DLP.format(python=sys.executable, asked=str(listed), song=str(music)))
    program.chmod(0o755)
    here.env["PATH"] = f"{program.parent}:{here.env['PATH']}"
    return listed


def arguments(listed: Path) -> list[list[str]]:
    return [json.loads(line) for line in listed.read_text().splitlines()]


def test_a_request_says_the_quality_of_its_downloads(here: House, asked: Path) -> None:
    url = "https://example.com/song"
    with here.start() as client:
        prepared(client, url)
        prepared(client, url, quality="128k", again=True)
        prepared(client, url, quality="best", again=True)
        usual, low, best = arguments(asked)
        assert usual[usual.index("--audio-quality") + 1] == "320K"
        assert low[low.index("--audio-quality") + 1] == "128K"
        assert "--audio-quality" not in best
        assert "--audio-format" not in best
        assert usual[-1] == url
        with pytest.raises(Refused, match='no quality "321k"; did you mean "320k"'):
            client.call("prep.add", sources=[url], quality="321k")


def test_the_quota_is_a_verb(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "prep" / "separate")
    fake: Any = importlib.import_module("fake_lalalai")
    with fake.FakeLalalai() as cloud:
        here.configure(f'[separation]\nlalalai_url = "{cloud.url}"\n')
        here.env["SFA_LALALAI_KEY"] = fake.LICENCE
        with here.start() as client:
            said = client.call("prep.quota")
            assert said == {"plan": "Plus pack", "left_min": 90.0, "limit_min": 300.0}
            assert fake.LICENCE not in here.log
    here.stop()
    here.env["SFA_LALALAI_KEY"] = ""
    with here.start() as client, pytest.raises(Refused, match="no licence key"):
        client.call("prep.quota")
