"""Tools that plan mixes, render their transitions, and propose what has no veto."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from msgspec import Meta, Struct

from sfa_engine.agents.contract import Proposal, Step
from sfa_engine.agents.tools.answer import TrackNumber, fitted, rounded
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.agents.tools.waiting import MAX_AUDITION_S, ended
from sfa_engine.desk import DESK
from sfa_engine.errors import Refused, SfaError
from sfa_engine.mix.arc import Arc
from sfa_engine.system.named_files import NAME_PATTERN
from sfa_engine.system.timecode import clock

MAX_TRACKS = 40
MAX_RENDERED = 24  # transitions of a plan that is auditioned: 2 CPU-s each
MAX_WHY = 4
LADDER = DESK.engine.ladder.path

# What an audition must not show, whatever the goal is: the measure, its limit, what it means.
# Two basses for more than two bars, more than 0.35 s of two voices and a cut of more than 0.25 s
# are vetoes of the planner too; -8.3 dB is what a linear fade loses; 30 ms are heard as a flam.
_HIGHEST: Mapping[str, tuple[float, str]] = {
    "apart_ms": (30.0, "the beats are {:.0f} ms apart"),
    "bass_both_bars": (2.0, "both basses play for {:.1f} bars"),
    "voices_s": (0.35, "two voices sing for {:.1f} s"),
    "cut_s": (0.25, "a vocal line is cut by {:.1f} s"),
    "clash_bars": (4.0, "the keys clash for {:.1f} bars"),
    "silence_s": (4.0, "there is silence for {:.1f} s"),
}
_HIGHEST_OF_BLEND: Mapping[str, tuple[float, str]] = {
    "over_louder_db": (4.0, "it is {:.1f} dB louder than the louder track"),
}
_LOWEST_OF_BLEND = ("under_louder_db", -8.0, "it is {:.1f} dB below the louder track")

DraftName = Annotated[
    str, Meta(pattern=r"^draft-[0-9a-f]{12}\Z", description="the name of a draft, as returned")
]
PlanName = Annotated[
    str,
    Meta(
        pattern=rf"^{NAME_PATTERN}\Z",
        max_length=40,
        description="lower-case letters, digits and hyphens",
    ),
]


class OrderOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `plan_order` takes."""

    tracks: Annotated[list[TrackNumber], Meta(min_length=2, max_length=MAX_TRACKS)]
    arc: Arc
    first: TrackNumber | None
    last: TrackNumber | None
    keep_order: bool


class TransitionOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `plan_transition` takes."""

    out: TrackNumber
    into: TrackNumber


class AuditionOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `audition` takes."""

    plan: DraftName
    transition: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_TRACKS)] | None,
        Meta(description="the number of a transition, or null for all of them"),
    ]
    propose: Annotated[
        bool, Meta(description="whether to propose the plan if nothing speaks against it")
    ]
    name: Annotated[
        PlanName | None, Meta(description="of the plan when it is applied, or null for any")
    ]


class PlacedTrack(Struct, frozen=True):
    """A track of a plan."""

    place: int
    id: int
    name: str
    bpm: float | None
    camelot: str | None
    energy: float | None
    start_s: float | None


class PlannedTransition(Struct, frozen=True):
    """A transition of a plan.

    Attributes
    ----------
    kind : str
        ``blend``, ``fade`` or ``follow``.
    start_s, end_s : float, optional
        In the mix.
    rate_pct : float
        By how much a tempo is changed, at most.
    fallback : str
        Why it is no blend; empty for one.
    """

    number: int
    out: int
    into: int
    kind: str
    bars: int
    start_s: float | None
    end_s: float | None
    rate_pct: float
    fallback: str
    why: tuple[str, ...] = ()


class Draft(Struct, frozen=True):
    """A plan that was made and not proposed.

    Attributes
    ----------
    plan : str
        Its name, for `audition`.
    problem : str
        Why it cannot be performed; empty: it can.
    """

    plan: str
    arc: str
    length_s: float | None
    tracks: tuple[PlacedTrack, ...]
    transitions: tuple[PlannedTransition, ...]
    notes: tuple[str, ...]
    problem: str = ""
    left_out: int = 0


class Measure(Struct, frozen=True):
    """A measure of a rendered transition; `is_met` is None if it could not be measured."""

    name: str
    value: float | None
    goal: str
    is_met: bool | None


class Rendered(Struct, frozen=True):
    """A transition that was rendered.

    Attributes
    ----------
    missed : tuple of Measure
        Goals that are not met.
    vetoes : tuple of str
        What speaks against proposing it; empty: nothing.
    """

    transition: int
    length_s: float
    met: int
    missed: tuple[Measure, ...]
    vetoes: tuple[str, ...]


class Auditioned(Struct, frozen=True):
    """What was rendered and measured, and whether it was proposed."""

    plan: str
    transitions: tuple[Rendered, ...]
    vetoes: tuple[str, ...]
    proposed: bool
    left_out: int = 0


async def _order(bench: Workbench, params: OrderOf) -> Draft:
    for track in (*params.tracks, params.first, params.last):
        if track is not None:
            bench.check_track(track)
    return await _drafted(
        bench,
        tracks=params.tracks,
        arc=params.arc,
        first=params.first,
        last=params.last,
        ordered=params.keep_order,
    )


async def _transition(bench: Workbench, params: TransitionOf) -> Draft:
    pair = [bench.check_track(params.out), bench.check_track(params.into)]
    if params.out == params.into:
        raise Refused(f"both tracks are {params.out}", "name two")
    return await _drafted(bench, why=MAX_WHY, tracks=pair, ordered=True)


async def _drafted(bench: Workbench, why: int = 0, **params: Any) -> Draft:
    made = await bench.call("mix.draft", **params)
    bench.plans[made["name"]] = made
    return fitted(
        Draft(
            plan=made["name"],
            arc=made["arc"],
            length_s=rounded(made["length_s"], 1),
            tracks=tuple(_placed(each) for each in made["tracks"]),
            transitions=tuple(_planned(each, why) for each in made["transitions"]),
            notes=tuple(clean(each) for each in made["notes"][:6]),
            problem=clean(made["problem"]),
        ),
        "transitions",
        "tracks",
    )


def _placed(track: Mapping[str, Any]) -> PlacedTrack:
    return PlacedTrack(
        track["place"],
        track["id"],
        clean(track["name"], 60),
        rounded(track["bpm"], 1),
        track["camelot"],
        rounded(track["energy"], 2),
        rounded(track["start_s"], 1),
    )


def _planned(each: Mapping[str, Any], why: int) -> PlannedTransition:
    rates = (each.get("out_rate", 1.0), each.get("in_rate", 1.0))
    return PlannedTransition(
        number=each["place"],
        out=each["out"],
        into=each["into"],
        kind=each["kind"],
        bars=each.get("bars", 0),
        start_s=rounded(each["start_s"], 1),
        end_s=rounded(each["end_s"], 1),
        rate_pct=round(100 * max(abs(rate - 1) for rate in rates), 1),
        fallback=clean(each.get("fallback"), 100),
        why=tuple(clean(reason) for reason in each.get("why", ())[:why]),
    )


async def _audition(bench: Workbench, params: AuditionOf) -> Auditioned:
    made = bench.plans.get(params.plan)
    if made is None:
        raise Refused(f"no tool has returned a plan {params.plan}", "plan an order first")
    await _check_ladder(bench)
    count = len(made["transitions"])
    numbers = [params.transition] if params.transition else list(range(1, count + 1))
    if params.transition is not None and params.transition > count:
        raise Refused(f"no transition {params.transition}", f"the plan has {count}")
    if not count:
        raise Refused("the plan has no transition", "plan two tracks or more that are prepared")
    if len(numbers) > MAX_RENDERED:
        raise Refused(
            f"{count} transitions are too many to render", f"plan {MAX_RENDERED + 1} tracks at most"
        )
    missing = [n for n in numbers if _key(params.plan, n) not in bench.auditioned]
    for number in missing:  # all are queued before the first is waited for
        await bench.call("mix.audition_draft", name=params.plan, transition=number)
    for number in missing:
        found = await _rendered(bench, params.plan, number)
        bench.auditioned[_key(params.plan, number)] = found
    rendered = [_shown(number, bench.auditioned[_key(params.plan, number)]) for number in numbers]
    vetoes = [f"transition {each.transition}: {veto}" for each in rendered for veto in each.vetoes]
    proposed = False
    if params.propose and not vetoes:
        proposed = await _propose(bench, params.plan, made, params.name)
    return fitted(
        Auditioned(params.plan, tuple(rendered), tuple(vetoes), proposed), "transitions", "vetoes"
    )


async def _rendered(bench: Workbench, plan: str, number: int) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        found: dict[str, Any] = await bench.call("mix.audition_draft", name=plan, transition=number)
        return found

    found = await ended(bench, ask, "the audition", MAX_AUDITION_S)
    return {name: found[name] for name in ("length_s", "measures", "goals")}


def _shown(number: int, found: Mapping[str, Any]) -> Rendered:
    goals = found["goals"]
    return Rendered(
        transition=number,
        length_s=round(found["length_s"], 1),
        met=sum(each["is_met"] is True for each in goals),
        missed=tuple(
            Measure(each["name"], rounded(each["value"], 2), each["goal"], each["is_met"])
            for each in goals
            if each["is_met"] is False
        ),
        vetoes=vetoes_of(goals),
    )


def vetoes_of(goals: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what speaks against proposing a transition that was measured; empty: nothing.

    Parameters
    ----------
    goals : sequence of mapping
        ``name``, ``value`` and ``is_met`` of each, as ``mix.audition`` returns them.
    """
    values = {each["name"]: each["value"] for each in goals if each["value"] is not None}
    limits = dict(_HIGHEST)
    if "bars" in values:  # a blend; a fade is to be quieter in its middle
        limits |= _HIGHEST_OF_BLEND
    said = [
        words.format(values[name])
        for name, (limit, words) in limits.items()
        if name in values and abs(values[name]) > limit and (values[name] > 0 or name == "apart_ms")
    ]
    name, limit, words = _LOWEST_OF_BLEND
    if "bars" in values and values.get(name, 0.0) < limit:
        said.append(words.format(-values[name]))
    if any(each["name"] == "rate_pct" and each["is_met"] is False for each in goals):
        said.append(f"a tempo is changed by {values['rate_pct']:.1f} %")
    return tuple(said)


async def _propose(
    bench: Workbench, plan: str, made: Mapping[str, Any], wanted: str | None
) -> bool:
    """Propose a plan all of whose transitions were auditioned without a veto.

    Raises
    ------
    Refused
        A transition was not auditioned, or has a veto; or the plan cannot be performed.
    """
    if made["problem"]:
        raise Refused(f"the plan cannot be performed: {clean(made['problem'])}", "plan it again")
    for each in made["transitions"]:
        found = bench.auditioned.get(_key(plan, each["place"]))
        if found is None:
            raise Refused(
                f"transition {each['place']} was not auditioned", "audition all of them: null"
            )
        if vetoes := vetoes_of(found["goals"]):
            raise Refused(f"transition {each['place']}: {vetoes[0]}", "plan it in another way")
    bench.auditioned[plan] = {"transitions": len(made["transitions"])}
    if any(each.audition == plan for each in bench.proposals):
        return True  # once is enough
    tracks = [_placed(each) for each in made["tracks"]]
    name = wanted or await _free_name(bench, tracks)
    length = f", {clock(made['length_s'], 0)}" if made["length_s"] else ""
    title = (
        f"Transition from {tracks[0].name} into {tracks[1].name}"
        if len(tracks) == 2
        else f"Mix of {len(tracks)} tracks{length}"
    )
    blends = sum(each["kind"] == "blend" for each in made["transitions"])
    bench.proposals.append(
        Proposal(
            kind="plan",
            title=clean(title),
            reason=f"{blends} of {len(made['transitions'])} transitions are blends; "
            "all were rendered and measured without a veto",
            # An empty digest is that of no text: a plan of this name is not replaced.
            steps=(Step("mix.save", {"name": name, "text": made["text"], "was": ""}),),
            details={
                "name": name,
                "arc": made["arc"],
                "length_s": made["length_s"],
                "tracks": [
                    {"id": each.id, "name": each.name, "start_s": each.start_s} for each in tracks
                ],
                "transitions": [
                    {
                        "number": each["place"],
                        "kind": each["kind"],
                        "bars": each.get("bars", 0),
                        "fallback": clean(each.get("fallback")),
                    }
                    for each in made["transitions"]
                ],
            },
            tracks=tuple(each.id for each in tracks),
            audition=plan,
        )
    )
    return True


async def _free_name(bench: Workbench, tracks: Sequence[PlacedTrack]) -> str:
    """Return the name of a plan that there is not."""
    there = {each["name"] for each in (await bench.call("mix.list"))["mixes"]}
    base = f"{tracks[0].id}-into-{tracks[1].id}" if len(tracks) == 2 else f"mix-of-{len(tracks)}"
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in there:
        number += 1
    return name


async def _check_ladder(bench: Workbench) -> None:
    """Refuse to render while the engine has lowered its quality to keep playing."""
    steps = 0
    with suppress(SfaError):  # without an engine nothing plays
        steps = (await bench.call("get", path=LADDER))["value"]
    if steps:
        raise Refused(
            "the engine is short of time: nothing is rendered now", "ask again in a minute"
        )


def _key(plan: str, transition: int) -> str:
    return f"{plan}/{transition}"


PLAN_ORDER = AgentTool(
    "plan_order",
    "Put tracks in an order along an arc of energy and plan each transition; nothing is stored.",
    OrderOf,
    Draft,
    "propose",
    is_read_only=False,
    run=_order,
)
PLAN_TRANSITION = AgentTool(
    "plan_transition",
    "Plan how one track gives way to another, with the reasons; nothing is stored.",
    TransitionOf,
    Draft,
    "propose",
    is_read_only=False,
    run=_transition,
)
AUDITION = AgentTool(
    "audition",
    "Render transitions of a plan, measure them, and propose the plan if nothing is against it.",
    AuditionOf,
    Auditioned,
    "propose",
    is_read_only=False,
    run=_audition,
)
