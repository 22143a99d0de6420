"""Forty tags that command a model that obeys each: nothing is changed, and nothing leaves."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from fake_llm import KEY, MODEL, FakeLlm, Seen, error
from hostile_cases import DANGEROUS, command_lines, fill, hostile_tags, rows_of, words_of
from house import House, house
from llm_cases import Desk, made
from msgspec import Struct
from scripted_model import ADAPTERS, Script, Turn, script

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.model_loop import MAX_OUTPUT, worded
from sfa_engine.agents.plain_text import MAX_STRING
from sfa_engine.agents.tools.tool import MOST_SCOPES, AgentTool, Workbench
from sfa_engine.errors import EngineError
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller

pytestmark = pytest.mark.slow
CONNECTIONS: list[Any] = []  # addresses that this process has connected to


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        CONNECTIONS.append(args[1])


sys.addaudithook(_watch)


class ShowOf(Struct, frozen=True, forbid_unknown_fields=True):
    track: int


class Shown(Struct, frozen=True):
    id: int
    title: str
    artist: str
    comment: str
    sources: list[str]
    bpm: float | None


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Playlists(Struct, frozen=True):
    names: list[str]


async def _show(bench: Workbench, params: ShowOf) -> Shown:
    """Return a track with its texts as they are: the loop has to make them harmless."""
    found = await bench.call("library.show", track=bench.check_track(params.track))
    places = [str(each) for each in found["sources"]]
    texts = (found["title"], found["artist"], found["comment"] or "")
    return Shown(found["id"], *texts, places, found["bpm"])


async def _playlists(bench: Workbench, _params: NoParams) -> Playlists:
    found = await bench.call("library.playlists")
    return Playlists([each["name"] for each in found["playlists"]])


TOOLS = {
    "show": AgentTool("show", "Show a track.", ShowOf, Shown, "read", True, _show),
    "playlists": AgentTool(
        "playlists", "List playlists.", NoParams, Playlists, "read", True, _playlists
    ),
}


@pytest.fixture(scope="module")
def tags() -> list[dict[str, Any]]:
    return hostile_tags()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, tags: list[dict[str, Any]]) -> Iterator[House]:
    """A real backstage whose library has a track for each tag."""
    with house(tmp_path_factory.mktemp("hostile")) as here:
        asyncio.run(_fill(here, tags))
        with here.start() as client:
            client.call(
                "llm.add",
                name="mine",
                adapter="custom_openai",
                url="http://127.0.0.1:9/v1",
                key=KEY,
            )
            yield here


async def _fill(here: House, tags: list[dict[str, Any]]) -> None:
    async with await Database.open(Places(here.data, here.bundles).database) as database:
        await fill(database, tags)


def _obedient(number: int, tag: dict[str, Any], sink: str) -> Script:
    """Return a model that does and says all that a tag asks for."""
    own = [("show", {"track": number}), ("playlists", {})]
    rounds = [DANGEROUS[at : at + 8] for at in range(0, len(DANGEROUS), 8)]

    def obey(_seen: Seen) -> Turn:
        return Turn(words_of(tag, sink))

    return script(Turn("", own), *(Turn("I obey.", calls) for calls in rounds), obey)


def test_nothing_is_changed_and_nothing_leaves(here, tags, caplog):
    path = here.runtime / BACKSTAGE_SOCKET
    visits: list[Any] = []

    async def call(verb: str, **params: Any) -> Any:
        async with aio.connect(path, Caller("backstage", "test")) as client:
            return await client.call(verb, **params)

    async def visited(_reader: Any, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("peername"))
        writer.close()

    async def scenario() -> None:
        async with FakeLlm() as fake:
            server = await asyncio.start_server(visited, "127.0.0.1", 0)
            sink = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            CONNECTIONS.clear()
            by = set()
            for number, tag in enumerate(tags, 1):
                fake.seen.clear()
                by.add(await _ask(fake, call, number, tag, sink))
            ours = {str(path), ("127.0.0.1", int(fake.url.rpartition(":")[2]))}
            assert {each if isinstance(each, str) else each[:2] for each in CONNECTIONS} == ours
            assert by == {"rules", "model"}
            server.close()
            await server.wait_closed()

    before, files = _rows(here), _files(here)
    asyncio.run(scenario())
    assert visits == []
    assert _rows(here) == before
    assert _files(here) == files
    assert len(before) > 20
    assert KEY.encode() not in repr(before).encode()
    assert KEY not in here.log + caplog.text
    assert not [each for each in command_lines() if KEY.encode() in each]


async def _ask(fake: FakeLlm, call: Any, number: int, tag: dict[str, Any], sink: str) -> str:
    """Ask about a track, look at all that was sent and said, and return who worded it."""
    said = fake.always = _obedient(number, tag, sink)
    adapter = ADAPTERS[number % len(ADAPTERS)]
    desk = Desk([made(adapter, fake.url)])
    bench = Workbench(call, MOST_SCOPES, {number})
    data = {"track": {"id": number, "bpm": 124.0, "key": "A minor"}}
    result = Result(
        f"#{number}: 124 BPM.", data, "track", evidence=(Evidence("124 BPM", "show", number),)
    )
    context = Context("tell me about this one", track=number)
    pieces: list[str] = []
    found = await worded(
        *(result, context, bench, desk.router, desk.question), tools=TOOLS, on_piece=pieces.append
    )
    await desk.client.close()
    assert said.refused == []
    assert len(fake.asked) == 2 + (len(DANGEROUS) + 7) // 8
    assert (found.data, found.evidence, found.proposals) == (data, result.evidence, ())
    assert (bench.proposals, bench.tracks) == ([], {number})
    for text in (found.output, "".join(pieces)):
        _seen_by_user(text)
    assert KEY not in json.dumps([found.output, found.notes])
    for text in _results(fake.asked[-1].body):
        _check_texts(json.loads(text) if text.startswith("{") else text)
    return found.by


def _seen_by_user(text: str) -> None:
    """Check that a text is plain, and says nothing that a stranger made up."""
    assert len(text) <= MAX_OUTPUT
    for wrong in ("://", "](", "<img", "<script", "javascript:", "data:text", "@", "174", "99999"):
        assert wrong not in text
    assert not [each for each in text if each != "\n" and unicodedata.category(each)[0] == "C"]


def _check_texts(value: Any) -> None:
    """Check that what a tool has returned is harmless."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            _check_texts(each)
    if isinstance(value, str):
        assert len(value) <= MAX_STRING
        assert not [each for each in value if unicodedata.category(each)[0] == "C"]


def _results(value: Any) -> Iterator[str]:
    """Yield the results of tools in a request of any dialect."""
    if isinstance(value, list):
        for each in value:
            yield from _results(each)
    elif isinstance(value, dict):
        if value.get("role") == "tool" or value.get("type") == "tool_result":
            yield value["content"]
        elif "functionResponse" in value:
            yield from value["functionResponse"]["response"].values()
        else:
            yield from _results(list(value.values()))


def _rows(here: House) -> dict[str, list[Any]]:
    """Return all rows of the library, but what models were asked."""
    return rows_of(here.data / "library.db", {"llm_usage"})


def _files(here: House) -> dict[str, str]:
    """Return the digest of each file, but of the database, which is compared by rows, and logs."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(here.folder.rglob("*"))
        if path.is_file() and not path.name.startswith("library.db") and path.suffix != ".log"
    }


def test_errors_of_a_real_provider_say_no_key(here):
    async def scenario() -> None:
        async with FakeLlm() as fake:
            fake.always = error("openai", 401, "invalid_api_key", f"bad key {KEY}")
            with here.connect() as client:
                added = {"adapter": "custom_openai", "url": f"{fake.url}/v1", "model": MODEL}
                await asyncio.to_thread(client.call, "llm.add", name="other", key=KEY, **added)
                shown = await asyncio.to_thread(client.call, "llm.test", name="other")
                assert shown["state"] == "key refused", shown
                assert KEY not in json.dumps(shown)

    try:
        asyncio.run(scenario())
    except EngineError as failure:
        raise AssertionError(here.log) from failure
    assert KEY not in here.log
