"""Tools on stems: how a track's are, and loops of the library's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from sfa_engine.agents.tools.answer import MAX_NAME, TrackNumber, fitted, rounded
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench

CLEAN_DB = -60.0  # of full scale: what the stems lack of the mix is inaudible
MIN_WINDOW_S = 8.0  # without a voice: four bars at 120 BPM
MAX_SPANS = 20
MAX_SECTIONS = 10  # of each stem


class StemsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `stem_report` takes."""

    track: TrackNumber


class StemSection(Struct, frozen=True):
    """A stem in a section."""

    section: str
    start_s: float
    level_db: float
    active_pct: float


class StemFacts(Struct, frozen=True):
    """A stem; levels are against the mix."""

    name: str
    engine: str
    sketch: bool
    level_db: float | None
    active_pct: float | None
    sections: tuple[StemSection, ...]


class Span(Struct, frozen=True):
    """A part of a track."""

    start_s: float
    end_s: float


class StemLoop(Struct, frozen=True):
    """A loop that the analysis has found."""

    stem: str
    start_s: float
    end_s: float
    label: str


class StemReport(Struct, frozen=True):
    """How the stems of a track are.

    Attributes
    ----------
    stems : tuple of StemFacts
        Loudest first.
    null_db : float, optional
        What the stems lack of the mix; None: not known any more.
    vocals : tuple of Span, optional
        Where a voice sings; None: nobody has looked.
    without_vocals : tuple of Span
        The longest parts without one first; of `MIN_WINDOW_S` at least.
    loops : tuple of StemLoop
        Of the analysis, longest first.
    problem : str
        Why levels are missing; empty: they are not.
    left_out : int
    """

    track: int
    name: str
    stems: tuple[StemFacts, ...]
    null_db: float | None
    vocals: tuple[Span, ...] | None
    without_vocals: tuple[Span, ...]
    loops: tuple[StemLoop, ...]
    problem: str = ""
    left_out: int = 0


async def _report(bench: Workbench, params: StemsOf) -> StemReport:
    track = bench.check_track(params.track)
    found = await bench.call("library.stems", track=track)
    shown = await bench.call("library.show", track=track)
    sung = found["vocals_s"]
    levels = {each["name"]: each for each in found["stems"]}
    names = [*levels, *(each["name"] for each in found["origins"] if each["name"] not in levels)]
    origins = {each["name"]: each for each in found["origins"]}
    loops = [each for each in shown["cues"] if each["kind"] == "loop" and each["end_s"]]
    report = StemReport(
        track=track,
        name=clean(found["name"]),
        stems=tuple(_stem(name, origins.get(name, {}), levels.get(name)) for name in names),
        null_db=rounded(found["null_db"], 1),
        vocals=None if sung is None else tuple(_span(*each) for each in sung[:MAX_SPANS]),
        without_vocals=without(sung, found["length_s"])[:MAX_SPANS] if sung is not None else (),
        loops=tuple(
            StemLoop(
                each["stem"] or "mix",
                round(each["position_s"], 3),
                round(each["end_s"], 3),
                clean(each["label"], 40),
            )
            for each in sorted(loops, key=lambda each: each["position_s"] - each["end_s"])
        ),
        problem=clean(found["problem"]),
        left_out=sum(max(0, len(each["sections"]) - MAX_SECTIONS) for each in found["stems"]),
    )
    return fitted(report, "loops", "without_vocals", "stems")


def without(sung: Sequence[Sequence[float]], length_s: float) -> tuple[Span, ...]:
    """Return the parts of a track without a voice, the longest first."""
    edges = [0.0, *(edge for span in sung for edge in span), length_s]
    gaps = [_span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
    long = [gap for gap in gaps if gap.end_s - gap.start_s >= MIN_WINDOW_S]
    return tuple(sorted(long, key=lambda gap: gap.start_s - gap.end_s))


def _stem(name: str, origin: dict[str, Any], level: dict[str, Any] | None) -> StemFacts:
    return StemFacts(
        name=name,
        engine=clean(origin.get("engine"), 40),
        sketch=bool(origin.get("sketch")),
        level_db=level["level_db"] if level else None,
        active_pct=level["active_pct"] if level else None,
        sections=tuple(
            StemSection(
                each["label"], round(each["start_s"], 1), each["level_db"], each["active_pct"]
            )
            for each in (level["sections"] if level else ())
        )[:MAX_SECTIONS],
    )


def _span(start_s: float, end_s: float) -> Span:
    return Span(round(start_s, 2), round(end_s, 2))


class LoopsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `loops` takes."""

    words: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=400,
            description='as "4 drum loops of 8 beats and 2 bass loops of 16 around 126"',
        ),
    ]


class LoopRow(Struct, frozen=True):
    """A loop of the library."""

    track: int
    name: str
    stem: str
    start_s: float
    beats: int
    bpm: float
    camelot: str
    section: str
    why: str


class LoopsFound(Struct, frozen=True):
    """Loops that were found; nothing is cut.

    Attributes
    ----------
    preparing : tuple of str
        Tracks that would have to be prepared first.
    """

    loops: tuple[LoopRow, ...]
    preparing: tuple[str, ...]
    notes: tuple[str, ...]
    left_out: int = 0


async def _loops(bench: Workbench, params: LoopsOf) -> LoopsFound:
    found = await bench.call("loops.plan", words=params.words, ready=True)
    tracks = list(dict.fromkeys(each["track"] for each in found["loops"]))
    rows = (await bench.call("library.rows", tracks=tracks[:500]))["tracks"] if tracks else []
    names = {each["id"]: _name(each) for each in rows}
    answer = fitted(
        LoopsFound(
            loops=tuple(
                LoopRow(
                    each["track"],
                    names.get(each["track"], ""),
                    each["stem"],
                    round(each["start_s"], 3),
                    each["beats"],
                    round(each["bpm"], 2),
                    each["key"],
                    each["section"],
                    clean(each["why"]),
                )
                for each in found["loops"]
            ),
            preparing=tuple(clean(each["name"], MAX_NAME) for each in found["preparing"][:10]),
            notes=tuple(clean(each) for each in found["notes"][:6]),
        ),
        "loops",
    )
    bench.tracks.update(each.track for each in answer.loops)
    return answer


def _name(row: dict[str, Any]) -> str:
    return clean(" - ".join(filter(None, (row["artist"], row["title"]))), MAX_NAME)


STEM_REPORT = AgentTool(
    "stem_report",
    "Return the stems of a track: level and activity by section, vocal parts, loops, residual.",
    StemsOf,
    StemReport,
    "read",
    is_read_only=True,
    run=_report,
)
LOOPS = AgentTool(
    "loops",
    "Find loops of stems in the library by words; nothing is cut.",
    LoopsOf,
    LoopsFound,
    "read",
    is_read_only=True,
    run=_loops,
)
