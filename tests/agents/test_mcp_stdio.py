"""The MCP server as a process, on a real backstage: for the SDK's client and for one of our own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from house import House, house

from sfa_engine.cli.main import main as sfa
from sfa_engine.library import tracks
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tags import Tags

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters, stdio_client

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("mcp_process.py")
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
METHOD_NOT_FOUND = -32601
ROWS = [{"id": 1, "title": "Quiet", "bpm": 124.0}]
FIND = {"name": "find", "arguments": {"words": "quiet", "limit": 5}}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("mcp")) as here:

        async def fill() -> None:
            places = Places(here.data, here.bundles)
            async with (
                await Database.open(places.database) as database,
                database.transaction() as connection,
            ):
                await tracks.add(connection, "/m/1.flac", tags=Tags(title="Quiet", bpm=124.0))

        asyncio.run(fill())
        yield here


def start(here: House) -> None:
    """Start backstage, unless a test before has."""
    if here.process is None:
        here.start().close()


class Peer:
    """A client of our own: JSON by lines over pipes, and nothing else."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.number = 0

    def send(self, value: Any) -> None:
        assert self.process.stdin
        line = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, method: str, params: Any = None) -> Any:
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params or {}})
        answer = self.read()
        assert answer["id"] == self.number, answer
        return answer

    def ask_past_errors(self, method: str, params: Any) -> Any:
        """Ask; skip what is said of lines that were no requests."""
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while (answer := self.read()).get("id") != self.number:
            assert "error" in answer
        return answer


@contextmanager
def peer(runtime: Path, *allow: str) -> Iterator[Peer]:
    """Start a server; check at the end that nothing but the protocol came."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(runtime), *allow],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield Peer(process)
        rest, errors = process.communicate(timeout=60)
        assert rest == b""
        assert process.returncode == 0
        assert b"Traceback" not in errors, errors.decode()
        assert b"said by a" in errors  # what is printed goes there
    finally:
        process.kill()
        process.communicate()


def test_a_client_of_2025_shakes_hands_and_an_engine_may_start_later(here):
    with peer(here.runtime) as one:
        info = {"name": "own", "version": "1"}
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        answer = one.ask("initialize", hello)["result"]
        assert answer["protocolVersion"] == "2025-06-18"
        assert answer["serverInfo"]["name"] == "sound-forge-alchemy"
        assert set(answer["capabilities"]) == {"tools", "resources"}
        one.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        tools = one.ask("tools/list")["result"]["tools"]
        assert [each["name"] for each in tools] == ["find", "facts", "draft"]
        assert tools[0]["annotations"]["readOnlyHint"] is True
        if here.process is None:
            found = one.ask("tools/call", FIND)["result"]
            assert found["isError"] is True
            assert found["content"][0]["text"] == (
                "the engine is not running; start it with `sfa start`"
            )
        start(here)
        found = one.ask("tools/call", FIND)["result"]
        assert found["structuredContent"] == {"tracks": ROWS, "left_out": 0}
        drafted = one.ask("tools/call", {"name": "draft", "arguments": {"track": 1}})["result"]
        assert drafted["content"]  # of a tool that prints
        status = one.ask("resources/read", {"uri": "sfa://status"})
        assert "the engine is not running" in status["error"]["message"]


def test_a_client_of_2026_sends_requests_that_say_what_they_are(here):
    start(here)
    with peer(here.runtime, "prepare") as one:
        found = one.ask("server/discover", {"_meta": META})["result"]
        assert "2026-07-28" in found["supportedVersions"]
        tools = one.ask("tools/list", {"_meta": META})["result"]["tools"]
        assert [each["name"] for each in tools] == ["find", "facts", "draft", "prepare"]
        found = one.ask("tools/call", {**FIND, "_meta": META})["result"]
        assert found["structuredContent"]["tracks"] == ROWS
        found = one.ask("tools/call", {"name": "facts", "arguments": {"track": 1}, "_meta": META})
        assert found["result"]["structuredContent"] == ROWS[0]
        # What is no request is not the end.
        one.send(b"{nonsense")
        one.send(b"\xff\x00" + b"x" * 1_000_000)
        answer = one.ask_past_errors("tools/nonsense", {"_meta": META})
        assert answer["error"]["code"] == METHOD_NOT_FOUND
        found = one.ask("tools/call", {**FIND, "_meta": META})["result"]
        assert found["structuredContent"]["tracks"] == ROWS


def test_the_client_of_the_sdk_speaks_with_it(here):
    start(here)

    async def scenario() -> None:
        server = StdioServerParameters(
            command=sys.executable, args=[str(PROGRAM), str(here.runtime)], env=dict(os.environ)
        )
        async with Client(stdio_client(server)) as client:
            tools = (await client.list_tools()).tools
            assert [each.name for each in tools] == ["find", "facts", "draft"]
            found = await client.call_tool("find", {"words": "quiet", "limit": 5})
            assert found.structured_content["tracks"] == ROWS
            assert (await client.call_tool("facts", {"track": 99})).is_error
            assert len((await client.list_resources()).resources) == 2

    asyncio.run(scenario())


def test_a_missing_extra_is_one_line_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    ran = CliRunner().invoke(sfa, ["mcp"])
    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        "sfa: the package mcp is missing; install it: pip install 'sfa-engine[mcp]'\n"
    )


def test_only_what_can_be_undone_may_be_allowed():
    ran = CliRunner().invoke(sfa, ["mcp", "--allow", "library"])
    assert ran.exit_code == 2
    assert "'library' is not one of 'prepare', 'perform'" in ran.stderr
