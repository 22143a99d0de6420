"""Transitions and mixes rendered by a real backstage: figures, pictures, and what is kept."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile
from house import House, prep_context, until_ended
from mix_library import MixLibrary

from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.errors import Refused
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def fill(here: House, count: int = 3) -> None:
    """Give a backstage that does not run yet a library."""

    async def made() -> None:
        async with prep_context(here.data) as context:
            library = MixLibrary(context)
            for number in range(1, count + 1):
                await library.prepare(await library.add(number), bpm=120.0 + number)

    asyncio.run(made())


def rendered(client: SocketClient, **asked: Any) -> dict[str, Any]:
    """Have something rendered, and return the answer of the second request."""
    first = client.call("mix.audition", **asked)
    assert not first["done"]
    until_ended(client, first["batch"])
    job = client.call("jobs.show", job=first["job"])
    assert job["state"] == "done", job
    assert job["kind"] == "audition"
    second = client.call("mix.audition", **asked)
    assert second["key"] == first["key"]
    return second


def test_a_transition_and_a_whole_mix_are_rendered_measured_and_kept(here: House) -> None:
    fill(here)
    with here.start() as client:
        client.call("mix.plan", name="mix", tracks=[1, 2, 3], ordered=True)
        found = rendered(client, name="mix", transition=1)
        assert found["done"]
        about = soundfile.info(found["sound"])
        assert about.duration == pytest.approx(found["length_s"], abs=0.1)
        assert 0 < found["start_s"] < found["end_s"] < found["length_s"]
        goals = {goal["name"]: goal for goal in found["goals"]}
        assert goals["silence_s"]["is_met"]
        assert goals["rate_pct"]["value"] <= 4.0
        assert found["measures"]["silence_s"] == goals["silence_s"]["value"]
        picture = Path(found["picture"]).read_text()
        assert picture.startswith("<svg")
        for words in ("Artist 1 - Title 1", "Artist 2 - Title 2", "drums", "intro"):
            assert words in picture
        assert not list((here.data / "auditions").glob("*.json"))
        files = client.call("mix.auditioned", name="mix", transition=1)["files"]
        assert {f"{each['folder']}/{each['path']}" for each in files} == {
            *(found["sound"], found["picture"])
        }
        with pytest.raises(Refused, match="not rendered"):
            client.call("mix.auditioned", name="mix", transition=2)
        assert not list((here.data / "auditions").glob("*.json"))  # nothing was asked for by that
        # The same again is there; another plan of it is not.
        assert client.call("mix.audition", name="mix", transition=1)["done"]
        text = client.call("mix.text", name="mix")["text"]
        client.call("mix.save", name="mix", text=text.replace("# 1\n", "# one\n"))
        assert client.call("mix.audition", name="mix", transition=1)["done"]
        client.call("mix.replan", name="mix", without=[2])
        whole = rendered(client, name="mix")
        assert whole["longest_silence_s"] < 0.5
        assert soundfile.info(whole["sound"]).duration == pytest.approx(whole["length_s"], abs=2)
        assert "Artist 3 - Title 3" in Path(whole["picture"]).read_text()


def test_what_cannot_be_rendered_is_refused(here: House) -> None:
    fill(here, 2)
    with here.start() as client:
        client.call("mix.plan", name="mix", tracks=[1, 2])
        with pytest.raises(Refused, match="no transition 2"):
            client.call("mix.audition", name="mix", transition=2)
        with pytest.raises(Refused, match='no mix "mux"'):
            client.call("mix.audition", name="mux")
        client.call("mix.save", name="empty", text="version = 1\n")
        with pytest.raises(Refused, match="has no tracks"):
            client.call("mix.audition", name="empty")
        client.call("library.remove", track=2)
        with pytest.raises(Refused, match="Artist 2 - Title 2 has no sound"):
            client.call("mix.audition", name="mix", transition=1)


def test_those_that_were_not_asked_for_the_longest_are_deleted(tmp_path: Path) -> None:
    auditions = Auditions(tmp_path, tmp_path)
    assert auditions.prune() == 0
    for number, name in enumerate(("a", "b", "c")):
        folder = auditions.folder(name)
        folder.mkdir(parents=True)
        (folder / "mix.flac").write_bytes(bytes(1000))
        (folder / "figures.json").write_text("{}")
        os.utime(folder, (number, number))
    old, new = auditions.request_file("old"), auditions.request_file("new")
    for file in (old, new):
        file.write_text("{}")
    os.utime(old, (time.time() - 8 * 86_400,) * 2)
    assert auditions.found("a") is not None  # asked for: the newest now
    assert auditions.prune(2500) == 1
    assert [auditions.found(name) is not None for name in "abc"] == [True, False, True]
    assert (old.exists(), new.exists()) == (False, True)
