"""The MCP server on a running engine, whose socket hands on what is backstage's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engine_process import bundles, silent_engine, until  # noqa: F401 - fixtures, found by their names
from mcp_cases import TOOLS

from sfa_engine.agents.tools.tool import MOST_SCOPES, Workbench
from sfa_engine.errors import EngineError

pytest.importorskip("mcp")

from mcp import Client

from sfa_engine.agents.mcp.engine_call import EngineCall
from sfa_engine.agents.mcp.server import server_of

pytestmark = pytest.mark.slow


def test_status_plan_lock_and_backstage_are_reached_through_the_engine(silent_engine, bundles):  # noqa: F811
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        until(lambda: _answers(client), "backstage", every_s=0.05)

    async def scenario() -> None:
        call = EngineCall(silent_engine.runtime, MOST_SCOPES)
        async with Client(server_of(TOOLS, Workbench(call, MOST_SCOPES))) as client:
            status = await _read(client, "sfa://status")
            assert status["decks"][0]["title"] == "Track 1"
            assert "path" not in status["decks"][0]
            assert status["health"] in {"ok", "degraded"}
            plan = await _read(client, "sfa://plan")
            assert (plan["live"]["running"], plan["plan"]) == (False, None)
            found = await client.call_tool("find", {"words": "", "limit": 5})
            assert found.structured_content == {"tracks": [], "left_out": 0}
            found = await client.call_tool("prepare", {"track": 1})
            assert found.structured_content == {"done": "1"}
            await call("set", path="session.lock", value="on", wait=True)
            found = await client.call_tool("prepare", {"track": 1})
            assert found.is_error
            assert "session.lock is on: it refuses prepare" in found.content[0].text

    asyncio.run(scenario())


def _answers(client: Any) -> bool:
    try:
        client.call("mix.status")
    except EngineError:
        return False
    return True


async def _read(client: Any, uri: str) -> Any:
    return json.loads((await client.read_resource(uri)).contents[0].text)
