"""Tools on real verbs, for the MCP server."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from sfa_engine.agents.contract import Proposal, Step
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench


class FindOf(Struct, frozen=True, forbid_unknown_fields=True):
    words: Annotated[str, Meta(max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=20)]


class TrackOf(Struct, frozen=True, forbid_unknown_fields=True):
    track: int


class Row(Struct, frozen=True):
    id: int
    title: str
    bpm: float | None


class Rows(Struct, frozen=True):
    tracks: tuple[Row, ...]
    left_out: int = 0


class Done(Struct, frozen=True):
    done: str


async def _find(bench: Workbench, params: FindOf) -> Rows:
    found = await bench.call("library.search", words=params.words, limit=params.limit)
    bench.tracks.update(each["id"] for each in found["tracks"])
    return Rows(tuple(_row(each) for each in found["tracks"]))


async def _facts(bench: Workbench, params: TrackOf) -> Row:
    return _row(await bench.call("library.show", track=bench.check_track(params.track)))


def _row(track: dict[str, Any]) -> Row:
    return Row(track["id"], clean(track["title"]), track["bpm"])


async def _draft(bench: Workbench, params: TrackOf) -> Done:
    print("said by a tool")  # must not reach the client
    track = bench.check_track(params.track)
    step = Step("library.edit", {"track": track, "values": {"comment": "nice"}})
    bench.proposals.append(
        Proposal("cues", "A draft", "of a test", (step,), {"track": track}, (track,))
    )
    return Done("drafted")


async def _work(_bench: Workbench, params: TrackOf) -> Done:
    return Done(f"{params.track}")


def _tool(name: str, params: Any, answer: Any, run: Any, scope: Any) -> AgentTool:
    return AgentTool(name, f"Do {name}.", params, answer, scope, scope == "read", run)


TOOLS = {
    each.name: each
    for each in (
        _tool("find", FindOf, Rows, _find, "read"),
        _tool("facts", TrackOf, Row, _facts, "read"),
        _tool("draft", TrackOf, Done, _draft, "propose"),
        _tool("prepare", TrackOf, Done, _work, "prepare"),
        _tool("play", TrackOf, Done, _work, "perform"),
        _tool("remove", TrackOf, Done, _work, "library"),
    )
}
