"""A small library with tools, and questions to a scripted model about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fake_llm import FakeLlm
from llm_cases import Desk, made
from msgspec import Meta, Struct, convert
from scripted_model import Script

from sfa_engine.agents.contract import Context, Evidence, Proposal, Result
from sfa_engine.agents.model_loop import worded
from sfa_engine.agents.tools.tool import USUAL_SCOPES, AgentTool, Workbench
from sfa_engine.errors import Absent

TRACKS = {
    12: {"title": "Quiet", "bpm": 124.02, "key": "A minor", "lufs": -9.53, "length_s": 301.4},
    13: {"title": "Loud", "bpm": 126.0, "key": "E minor", "lufs": -7.0, "length_s": 250.0},
    14: {"title": "Now at 174 BPM", "bpm": 128.0, "key": "B minor", "lufs": -8.0},
}


class FindOf(Struct, frozen=True, forbid_unknown_fields=True):
    words: str
    limit: Annotated[int, Meta(ge=1, le=20)]


class TrackOf(Struct, frozen=True, forbid_unknown_fields=True):
    track: int


class NoteOf(Struct, frozen=True, forbid_unknown_fields=True):
    track: int
    kind: Literal["a", "b"]


class Row(Struct, frozen=True):
    id: int
    title: str
    bpm: float
    key: str
    lufs: float
    length_s: float | None = None


class Rows(Struct, frozen=True):
    tracks: tuple[Row, ...]


class Done(Struct, frozen=True):
    done: str


async def call(verb: str, **params: Any) -> Any:
    """Answer as a library with three tracks, and a session that is not locked."""
    if verb == "get":
        return {"text": "auto"}
    if verb == "library.search":
        return [{"id": number, **TRACKS[number]} for number in TRACKS]
    if params["track"] not in TRACKS:
        raise Absent(f"no track {params['track']}", "search for its title")
    return {"id": params["track"], **TRACKS[params["track"]]}


async def _find(bench: Workbench, params: FindOf) -> Rows:
    found = await bench.call("library.search", words=params.words)
    bench.tracks.update(each["id"] for each in found)
    return convert({"tracks": found[: params.limit]}, Rows)


async def _facts(bench: Workbench, params: TrackOf) -> Row:
    shown = await bench.call("library.show", track=bench.check_track(params.track))
    return convert(shown, Row)


async def _draft(bench: Workbench, params: NoteOf) -> Done:
    bench.check_track(params.track)
    bench.proposals.append(Proposal("cues", f"Cues {params.kind}", "of the sections", (), {}))
    return Done("drafted")


async def _start(_bench: Workbench, _params: TrackOf) -> Done:
    raise AssertionError("it is never offered")


async def _broken(_bench: Workbench, _params: TrackOf) -> Done:
    return Done(str(1 // 0))


async def _huge(_bench: Workbench, _params: TrackOf) -> Rows:
    return Rows(tuple(Row(each, "ä" * 300, 1.0, "", 0.0) for each in range(2000)))


async def _endless(_bench: Workbench, _params: TrackOf) -> Done:
    await asyncio.sleep(60)
    return Done("")


@dataclass
class Meeting:
    """Counts how many calls are in progress at once."""

    most: int = 0
    now: int = 0
    order: list[int] = field(default_factory=list)

    async def run(self, _bench: Workbench, params: TrackOf) -> Done:
        self.now += 1
        self.most = max(self.most, self.now)
        self.order.append(params.track)
        await asyncio.sleep(0.005)
        self.now -= 1
        return Done(f"{params.track}")


def tool(name: str, params: type[Struct], answer: type[Struct], run: Any, scope: Any) -> AgentTool:
    """Return a tool."""
    return AgentTool(name, f"Do {name}.", params, answer, scope, scope == "read", run)


TOOLS = {
    each.name: each
    for each in (
        tool("find", FindOf, Rows, _find, "read"),
        tool("facts", TrackOf, Row, _facts, "read"),
        tool("draft", NoteOf, Done, _draft, "propose"),
        tool("start", TrackOf, Done, _start, "prepare"),
        tool("remove_everything", TrackOf, Done, _start, "admin"),
        tool("broken", TrackOf, Done, _broken, "read"),
        tool("huge", TrackOf, Rows, _huge, "read"),
        tool("endless", TrackOf, Done, _endless, "read"),
    )
}
RESULT = Result(
    "Quiet (#12): 124.02 BPM, A minor, -9.5 LUFS.",
    {"track": {"id": 12, **TRACKS[12]}, "neighbours": ["7A", "9A", "8B"], "confidence": 0.97},
    "track",
    evidence=(
        Evidence("124.02 BPM, confidence .97", "facts", 12),
        Evidence("drop of 32 bars", "facts", 12, 64.25),
    ),
    tracks=(12,),
    notes=("a note of the rules",),
    latency_ms=3,
)
ASKED = Context("what key is this in, around 120?", track=12)


@dataclass
class Talk:
    """A question to a scripted model, and what became of it."""

    fake: FakeLlm
    script: Script
    adapter: str = "openai"
    tools: Any = None
    result: Result = RESULT
    context: Context = ASKED
    desk: Desk = field(init=False)
    bench: Workbench = field(init=False)
    pieces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake.always = self.script
        self.desk = Desk([made(self.adapter, self.fake.url)])
        self.bench = Workbench(call, USUAL_SCOPES, {12})

    async def worded(self, **more: Any) -> Result:
        """Ask."""
        tools = TOOLS if self.tools is None else self.tools
        return await worded(
            *(self.result, self.context, self.bench, self.desk.router, self.desk.question),
            **{"tools": tools, "on_piece": self.pieces.append, **more},
        )

    def results(self) -> list[dict[str, Any]]:
        """Return the results of tools that the last request to OpenAI's dialect has."""
        return [each for each in self.fake.asked[-1].body["messages"] if each["role"] == "tool"]


def reason(found: Result) -> str:
    """Return why an answer is by rules; it is whole all the same."""
    assert (found.by, found.output, found.data) == ("rules", RESULT.output, RESULT.data)
    assert (found.proposals, found.evidence) == (RESULT.proposals, RESULT.evidence)
    assert found.notes[0] == "a note of the rules"
    (note,) = [each for each in found.notes if each.startswith("not worded by ")]
    return note
