"""`sfa mcp` itself: all tools of agents, for the SDK's client, on a real library."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

import pytest
from house import House, house

from sfa_engine.agents.tools.all import TOOLS
from sfa_engine.library import tracks
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tags import Tags

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters, stdio_client

pytestmark = pytest.mark.slow
COMMAND = ("-m", "sfa_engine.cli.main", "mcp")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("mcp")) as here:

        async def fill() -> None:
            places = Places(here.data, here.bundles)
            async with (
                await Database.open(places.database) as database,
                database.transaction() as connection,
            ):
                for number in (1, 2):
                    tags = Tags(title=f"Quiet {number}", artist="Us", bpm=124.0, key="A minor")
                    await tracks.add(connection, f"/m/{number}.flac", tags=tags)

        asyncio.run(fill())
        with here.start():
            yield here


def test_the_tools_of_agents_are_offered_by_scope_and_answer_as_they_declare(here):
    async def scenario() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=[*COMMAND, "--allow", "prepare"],
            env={**os.environ, **here.env},
        )
        async with Client(stdio_client(server)) as client:
            tools = {each.name: each for each in (await client.list_tools()).tools}
            assert set(tools) == {name for name, each in TOOLS.items() if each.scope != "perform"}
            for name, each in tools.items():
                is_reading = TOOLS[name].scope == "read"
                assert each.annotations.read_only_hint is is_reading
                assert each.input_schema["additionalProperties"] is False
            # The client checks answers against their schemas.
            words = {"words": "quiet", "this": None, "limit": 5}
            found = await client.call_tool("library_search", words)
            assert not found.is_error, found
            assert [each["id"] for each in found.structured_content["tracks"]] == [1, 2]
            found = await client.call_tool("track_facts", {"track": 1})
            assert not found.is_error, found
            assert found.structured_content["name"] == "Us - Quiet 1"
            found = await client.call_tool("similar_tracks", {"track": 99, "limit": 5})
            assert found.is_error
            assert "no tool has returned a track 99" in found.content[0].text

    asyncio.run(scenario())
