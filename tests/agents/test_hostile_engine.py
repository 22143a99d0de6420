"""Forty tags that command a model, with all tools, the real verbs, and an engine that runs.

The model obeys each of them and calls all that there is. Library, journal, decks and files are as
before, but for drafts, and what models were asked; nothing was sent but to the provider.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Show, show, until
from fake_llm import KEY, MODEL, FakeLlm, Seen, error
from hostile_cases import DANGEROUS, command_lines, fill, hostile_tags, rows_of, text_of, words_of
from house import prep_context
from mix_library import MixLibrary
from scripted_model import ADAPTERS, Script, Turn, script

from sfa_engine.agents.tools.all import TOOLS
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow
PREPARED = 3  # tracks that have stems, grids and curves; the others were imported only
# What drafts and questions add to the database; of jobs only those that measure a sound, whose end
# is a notification.
ADDED = {"llm_usage", "proposals", "jobs", "batch_jobs", "notifications"}
DRAFTED = {"library.cue", "library.grid", "library.playlist_add", "mix.save", "mix.plan"}


class Sink:
    """An address that tags name; counts who comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.visits = 0
        made = asyncio.start_server(self._visited, "127.0.0.1", 0)
        self.server = asyncio.run_coroutine_threadsafe(made, loop).result(10)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _visited(self, _reader: Any, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


class Rig:
    """An engine with its backstage, a server of models, and the sink."""

    def __init__(self, engine: Show, client: SocketClient, fake: FakeLlm, sink: Sink) -> None:
        self.engine, self.client, self.fake, self.sink = engine, client, fake, sink
        self.data = engine.runtime / "data" / "sfa"

    def rows(self) -> dict[str, list[Any]]:
        return rows_of(self.data / "library.db", ADDED)

    def files(self) -> dict[str, str]:
        """Return the digest of each file of the user, but databases, drafts and what is cached."""
        # Of the journal entries are counted: its file has the time of the engine, too.
        made = ("library.db", "web.db", "resume.sfaj")
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.data.rglob("*"))
            if path.is_file()
            and not path.name.startswith(made)
            and not {"mix-drafts", "journals"} & set(path.parts)
        }

    def decks(self) -> tuple[dict[str, Any], int]:
        """Return the controls and readings of decks and mixer, and how long the journal is."""
        paths = ["deck*", "crossfader", "master*"]
        with self.engine.connect() as client:
            found = client.call("watch", paths=paths, rate_hz=1)["values"]
        values = {
            path: value for path, value in found.items() if not path.endswith("_lamp")
        }  # blink
        return values, int(self.engine.memory().engine["journal_head"])

    def connections(self) -> set[Any]:
        """Return the addresses and hosts in a network that processes of the engine have used."""
        found: set[Any] = set()
        for line in (self.engine.runtime / "connections").read_text().splitlines():
            event, _, said = line.partition(" ")
            address = ast.literal_eval(said)
            if event == "socket.getaddrinfo":
                found.add(address)
            elif isinstance(address, tuple) and isinstance(address[0], str):
                found.add(address[:2])  # others are of Unix sockets, and of the kernel
        return found


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fake = FakeLlm()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(10)
    sink = Sink(loop)
    watched = {"PYTHONPATH": str(Path(__file__).with_name("watched"))}

    def prepare(engine: Show) -> None:
        engine.environment["SFA_TEST_CONNECTIONS"] = str(engine.runtime / "connections")
        data = engine.runtime / "data" / "sfa"
        data.mkdir(parents=True, mode=0o700)
        asyncio.run(_library(data))

    try:
        with show(watched, "none", prepare=prepare) as engine:
            until((engine.runtime / "backstage.sock").exists, "backstage")
            with engine.connect() as client:
                for adapter in ADAPTERS:
                    url = f"{fake.url}/v1" if adapter == "openai" else fake.url
                    client.call(
                        *("llm.add",),
                        name=adapter.replace("_", "-"),
                        adapter=adapter,
                        url=url,
                        key=KEY,
                        model=MODEL,
                    )
                client.call("deck.load", deck=1, track="#1")
                client.call("set", path="deck2.fader", value=-60.0, wait=True)
                yield Rig(engine, client, fake, sink)
    finally:
        asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(sink.server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _library(data: Path) -> None:
    tags = hostile_tags()
    async with prep_context(data) as context:
        await fill(context.database, tags)
        library = MixLibrary(context)
        for track in range(1, PREPARED + 1):
            await library.prepare(track, bpm=124.0)


def calls_of(number: int, tag: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return calls of all tools for a tag's track, as one that obeys would call them."""
    title = text_of(tag, "title")[:100]
    other = number % PREPARED + 1
    found: dict[str, Any] = {
        "library_search": {"words": title, "this": None, "limit": 20},
        "track_facts": {"track": number},
        "similar_tracks": {"track": number, "limit": 3},
        "compatible_tracks": {"track": number, "limit": 3},
        "plan_order": {
            "tracks": [number, other],
            "arc": "rising",
            "first": None,
            "last": None,
            "keep_order": False,
        },
        "plan_transition": {"out": number, "into": other},
        "audition": {
            "plan": "draft-0123456789ab",
            "transition": None,
            "propose": True,
            "name": None,
        },
        "propose_cues": {"track": number, "kinds": ["drop", "intro"], "most": 8},
        "propose_playlist": {"name": title[:60], "tracks": [number]},
        "propose_grid_shift": {"track": number, "change": "double"},
        "loudness_report": {"track": number, "preset": "streaming"},
        "stem_report": {"track": number},
        "loops": {"words": f"drum loops, {title}"[:400]},
        "job_start": {"job": "separate", "track": number, "preset": "streaming"},
        "deck_act": {"deck": 2, "action": "load", "track": number, "place": None},
    }
    assert found.keys() == TOOLS.keys()
    hand = [("deck_act", {"deck": 1, "action": "start", "track": None, "place": None})]
    return [*found.items(), *hand, *DANGEROUS]


def obedient(number: int, tag: dict[str, Any], sink: str) -> Script:
    """Return a model that calls everything, and then says what the tag says."""
    calls = calls_of(number, tag)
    rounds = [calls[at : at + 8] for at in range(0, len(calls), 8)]
    assert len(rounds) <= 8

    def obey(_seen: Seen) -> Turn:
        return Turn(words_of(tag, sink) or "done")

    return script(*(Turn("I obey.", each) for each in rounds), obey)


def test_library_journal_and_decks_are_as_before(rig: Rig) -> None:
    tags = hostile_tags()
    until(lambda: rig.client.call("status")["decks"][0]["title"], "the deck")
    rows, files, decks = rig.rows(), rig.files(), rig.decks()
    jobs = {tuple(each) for each in _table(rig, "SELECT id FROM jobs")}
    by: set[str] = set()
    for number, tag in enumerate(tags, 1):
        adapter = ADAPTERS[number % len(ADAPTERS)]
        model = rig.fake.always = obedient(number, tag, rig.sink.url)
        rig.fake.seen.clear()
        said = rig.client.call(
            *("agents.ask",),
            instruction="tell me about this one",
            task="track",
            track=number,
            provider=adapter.replace("_", "-"),
        )
        assert model.refused == []
        assert len(model.turns) == 1, said["notes"]  # all calls were made
        by.add(said["by"])
        assert "://" not in said["output"]
        assert KEY not in json.dumps(said)
    assert by == {"rules", "model"}
    assert changed(rows, rig.rows()) == []
    assert changed(files, rig.files()) == []
    controls, entries = rig.decks()
    assert changed(decks[0], controls) == []
    assert entries == decks[1]
    # What was added is what a person applies, and what measured a sound.
    added = [json.loads(steps) for (steps,) in _table(rig, "SELECT steps FROM proposals")]
    assert added
    assert {step["verb"] for steps in added for step in steps} <= DRAFTED
    assert {state for (state,) in _table(rig, "SELECT state FROM proposals")} == {"open"}
    kinds = {
        kind for number, kind in _table(rig, "SELECT id, kind FROM jobs") if (number,) not in jobs
    }
    assert kinds <= {"master", "audition"}
    masters = _table(rig, "SELECT args FROM jobs WHERE kind = 'master'")
    assert {json.loads(args)["format"] for (args,) in masters} == {""}  # measured
    assert rig.sink.visits == 0
    port = int(rig.fake.url.rpartition(":")[2])
    assert rig.connections() <= {("127.0.0.1", port), "127.0.0.1"}
    assert ("127.0.0.1", port) in rig.connections()


def test_no_key_is_left_anywhere_after_a_provider_that_fails(rig: Rig) -> None:
    rig.client.call(
        *("llm.add",),
        name="failing",
        adapter="custom_openai",
        url=f"{rig.fake.url}/v1",
        key=KEY,
        model=MODEL,
        place=1,
    )
    seen: list[str] = []
    for status, code in ((401, "invalid_api_key"), (400, "bad"), (500, "broken")):
        rig.fake.always = error("openai", status, code, f"the key {KEY} is wrong")
        said = rig.client.call(
            "agents.ask", instruction="tell me about this one", track=1, provider="failing"
        )
        assert said["by"] == "rules"
        assert any("failing" in note for note in said["notes"])
        seen.append(json.dumps(said))
        assert not [line for line in command_lines() if KEY.encode() in line]
    shown = rig.client.call("llm.test", name="failing")
    assert shown["state"] != "ready"
    seen += [json.dumps(shown), json.dumps(rig.client.call("llm.providers"))]
    seen += [json.dumps(rig.client.call("audit.list", limit=100)), rig.engine.said()]
    assert KEY not in "".join(seen)
    time.sleep(0.3)  # logs are written by a thread
    looked = 0
    for path in rig.engine.runtime.rglob("*"):
        if path.is_file() and path.suffix not in {".memory", ".lock"}:
            assert KEY.encode() not in path.read_bytes(), path
            looked += 1
    assert looked > 10


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what is not as before: pytest takes minutes to compare whole tables."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _table(rig: Rig, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{rig.data / 'library.db'}?mode=ro", uri=True) as connection:
        return list(connection.execute(query))
