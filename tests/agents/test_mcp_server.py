"""The MCP server, asked by the SDK's client: tools, drafts, the lock, resources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp_cases import TOOLS

from sfa_engine.agents.tools.tool import MOST_SCOPES, USUAL_SCOPES, Workbench
from sfa_engine.errors import EngineError, Refused

pytest.importorskip("mcp")

from mcp import Client
from mcp.shared.exceptions import MCPError

from sfa_engine.agents.mcp.server import server_of

TRACK = {"id": 7, "title": "Quiet", "bpm": 124.0}


class Engine:
    """An engine that answers from a table, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "library.search": {"tracks": [TRACK]},
            "library.show": TRACK,
            "get": {"text": "auto"},
            "proposals.add": {"id": 3},
            **{name.replace("__", "."): answer for name, answer in answers.items()},
        }

    async def __call__(self, verb: str, **params: Any) -> Any:
        self.asked.append((verb, params))
        answer = self.answers[verb]
        if isinstance(answer, Exception):
            raise answer
        return answer


def asked(
    scenario: Callable[[Any], Awaitable[None]],
    engine: Engine | None = None,
    scopes: Any = USUAL_SCOPES,
) -> Engine:
    """Run a scenario with a client; return the engine."""
    engine = engine or Engine()

    async def run() -> None:
        async with Client(server_of(TOOLS, Workbench(engine, scopes))) as client:
            await scenario(client)

    asyncio.run(run())
    return engine


def test_tools_of_the_scopes_are_listed_with_truthful_hints():
    async def usual(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert [each.name for each in tools] == ["find", "facts", "draft"]
        assert tools[0].description == "Do find."
        assert tools[0].input_schema["required"] == ["words", "limit"]
        assert tools[0].input_schema["additionalProperties"] is False
        assert tools[0].output_schema["properties"]["tracks"]["type"] == "array"

    async def most(client: Any) -> None:
        hints = {
            each.name: (each.annotations.read_only_hint, each.annotations.destructive_hint)
            for each in (await client.list_tools()).tools
        }
        assert hints == {
            "find": (True, False),
            "facts": (True, False),
            "draft": (False, False),
            "prepare": (False, False),
            "play": (False, True),
        }

    asked(usual)
    asked(most, scopes=MOST_SCOPES | {"library", "admin"})


def test_a_call_answers_as_text_and_as_checked_structure():
    async def scenario(client: Any) -> None:
        found = await client.call_tool("find", {"words": "quiet", "limit": 5})
        assert not found.is_error
        assert found.structured_content == {"tracks": [TRACK], "left_out": 0}
        assert json.loads(found.content[0].text) == found.structured_content
        found = await client.call_tool("facts", {"track": 7})  # it was returned before
        assert found.structured_content == TRACK

    asked(scenario)


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("facts", {"track": 8}, "no tool has returned a track 8; search first"),
        ("facts", {"track": "x"}, "facts: Expected `int`, got `str` - at `$.track`"),
        ("facts", None, "facts: Object missing required field `track`"),
        ("fact", {}, 'no tool "fact"; did you mean "facts"?'),
        ("prepare", {"track": 7}, 'prepare needs the scope "prepare"; given are: propose, read'),
        ("remove", {"track": 7}, 'remove needs the scope "library"'),
    ],
)
def test_what_is_wrong_with_a_call_is_an_error_of_the_tool(name, arguments, sentence):
    async def scenario(client: Any) -> None:
        found = await client.call_tool(name, arguments)
        assert found.is_error
        assert sentence in found.content[0].text

    asked(scenario)


def test_an_engine_that_is_away_is_an_error_of_the_tool():
    away = EngineError("the engine is not running", "start it with `sfa start`")
    engine = Engine(library__search=away, status=away, mix__status=away)

    async def scenario(client: Any) -> None:
        found = await client.call_tool("find", {"words": "", "limit": 1})
        assert found.is_error
        assert found.content[0].text == "the engine is not running; start it with `sfa start`"
        for uri in ("sfa://status", "sfa://plan"):
            with pytest.raises(MCPError, match="the engine is not running; start it"):
                await client.read_resource(uri)

    asked(scenario, engine)


def test_a_draft_is_stored_for_a_person():
    async def scenario(client: Any) -> None:
        await client.call_tool("find", {"words": "", "limit": 1})
        found = await client.call_tool("draft", {"track": 7})
        assert found.structured_content == {"done": "drafted"}
        assert found.content[1].text.startswith("Draft 3 is stored: `sfa proposals apply 3`")

    stored = [params for verb, params in asked(scenario).asked if verb == "proposals.add"]
    ((given,),) = [stored]
    assert given["agent"] == "mcp"
    assert given["proposal"]["title"] == "A draft"
    assert given["proposal"]["steps"][0]["verb"] == "library.edit"


def test_a_draft_that_cannot_be_stored_is_an_error_and_is_not_stored_later():
    engine = Engine(proposals__add=Refused("there are 500 proposals", "drop some"))

    async def scenario(client: Any) -> None:
        await client.call_tool("find", {"words": "", "limit": 1})
        found = await client.call_tool("draft", {"track": 7})
        assert (found.is_error, found.content[0].text) == (
            True,
            "there are 500 proposals; drop some",
        )
        engine.answers["proposals.add"] = {"id": 4}
        found = await client.call_tool("draft", {"track": 7})
        assert len(found.content) == 2

    assert [verb for verb, _ in asked(scenario, engine).asked].count("proposals.add") == 2


def test_while_the_lock_is_on_only_reading_answers():
    async def scenario(client: Any) -> None:
        assert not (await client.call_tool("find", {"words": "", "limit": 1})).is_error
        for name in ("draft", "prepare", "play"):
            found = await client.call_tool(name, {"track": 7})
            assert found.is_error
            assert f"session.lock is on: it refuses {name}" in found.content[0].text

    asked(scenario, Engine(get={"text": "on"}), MOST_SCOPES)


def test_without_an_engine_nothing_is_locked():
    away = EngineError("the engine is not running")

    async def scenario(client: Any) -> None:
        await client.call_tool("find", {"words": "", "limit": 1})
        assert not (await client.call_tool("draft", {"track": 7})).is_error

    asked(scenario, Engine(get=away))


def test_resources_are_the_status_and_the_plan():
    decks = [{"loaded": True, "title": "x\u202ey", "path": "/m/x.sfa"}]
    engine = Engine(
        status={"health": "ok", "decks": decks},
        mix__status={"running": True, "name": "friday", "now": {"track": 7}},
        mix__show={"name": "friday", "tracks": [{"id": 7, "name": "a" * 9000}]},
    )

    async def scenario(client: Any) -> None:
        listed = {each.uri: each.mime_type for each in (await client.list_resources()).resources}
        assert {str(uri): kind for uri, kind in listed.items()} == {
            "sfa://status": "application/json",
            "sfa://plan": "application/json",
        }
        status = json.loads((await client.read_resource("sfa://status")).contents[0].text)
        assert status == {"health": "ok", "decks": [{"loaded": True, "title": "xy"}]}
        plan = json.loads((await client.read_resource("sfa://plan")).contents[0].text)
        assert plan["live"]["name"] == plan["plan"]["name"] == "friday"
        assert len(plan["plan"]["tracks"][0]["name"]) <= 400
        found = await client.call_tool("facts", {"track": 7})  # the plan has it
        assert found.structured_content == TRACK
        with pytest.raises(MCPError, match="no resource sfa://secrets"):
            await client.read_resource("sfa://secrets")

    asked(scenario, engine)


def test_without_a_mix_the_plan_is_empty():
    async def scenario(client: Any) -> None:
        plan = json.loads((await client.read_resource("sfa://plan")).contents[0].text)
        assert plan == {"live": {"running": False}, "plan": None}

    asked(scenario, Engine(mix__status={"running": False}))
