"""Pairs of made tracks, mixed in three ways, rendered by the kernel and measured.

::

    seeds ─► multitracks ─► bundles ─► analysis ─► facts ─┬─► linear fade at the end ─┐
    files ──────────────────┘                             ├─► outro on intro ─────────┼─► measures
                                                          └─► the plan ───────────────┘

The tracks are analysed as a library's are; no truth of theirs is given to the planner.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from sfa_engine.bench.pieces.multitrack import make_multitrack
from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.cli.run_worker import run_worker
from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import rewrite_manifest, write_bundle_arrays
from sfa_engine.library.manifest import CEILING_DBTP, LOUDNESS_LUFS
from sfa_engine.library.sources import stem_sources
from sfa_engine.mix.document import Move, Plan, Transition
from sfa_engine.mix.facts import LOUDNESS, PEAKS, TrackFacts, facts_of
from sfa_engine.mix.goals import Goal, goals_of
from sfa_engine.mix.place_goals import place_goals
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.timeline import Timeline
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.script.transition_sound import render_transition
from sfa_engine.system.sound_files import SOUND_FILES
from sfa_engine.track.correction import at_rate
from sfa_engine.track.curves import FILE, read_curves, unpacked
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import WHOLE, read_bundle

WAYS = ("fade", "outro", "plan")
PLANNED = "plan"
NEAR = 0.06  # tempo apart within which most pairs should be blended
FADE_S = 10.0  # of the fade at the end, as players offer it
FADE_BARS = 8
STEPS = 24  # of a fade that is straight in gain
WITHIN = 0.08  # tempo apart up to which a pair can be mixed in time
OFF_DB = -60.0
LEAST_S = 60.0  # of a found track


def made_track(number: int, seed: int, folder: Path, *, sung_ends: bool = False) -> TrackFacts:
    """Make a track of a seed, analyse it, and return its facts; its bundle is in a folder."""
    made = make_multitrack(seed, sung_ends=sung_ends)
    name = f"Seed {seed}"
    target = folder / f"{number}.sfa"
    write_bundle_arrays(target, made.stems, title=name, artist="", bpm=None, rate=RATE)
    facts = _analysed(number, name, target)
    if facts.grid is None:
        raise MediaError(f"no beats were found in the track of seed {seed}", "take another seed")
    return facts


def found_tracks(place: Path) -> list[Path]:
    """Return the sound files, and the folders of stems, of a folder or of a list in CSV.

    Parameters
    ----------
    place : Path
        A folder, or a CSV file with a column ``file``, relative to it; of a file named ``mix`` the
        stems beside it are taken.
    """
    if place.is_dir():
        return [
            path
            for path in sorted(place.iterdir())
            if path.is_dir() or path.suffix.lower() in SOUND_FILES
        ]
    with place.open(newline="") as lines:
        files = [place.parent / row["file"] for row in csv.DictReader(lines)]
    return [file.parent if file.stem == WHOLE else file for file in files]


def found_track(number: int, path: Path, folder: Path) -> TrackFacts | None:
    """Decode and analyse a track, and return its facts; None if it is shorter than a minute.

    Parameters
    ----------
    number : int
    path : Path
        A sound file, or a folder of stems.
    folder : Path
        Gets its bundle.
    """
    target = folder / f"{number}.sfa"
    write_bundle(target, stem_sources(path), title=path.stem, artist="", bpm=None)
    track = read_bundle(target).track
    if track.frames < LEAST_S * track.rate:
        return None
    return _analysed(number, path.stem, target)


def _analysed(number: int, name: str, bundle: Path) -> TrackFacts:
    """Analyse a bundle as the library does, write what a deck needs of it; return its facts."""
    track = read_bundle(bundle).track
    request = {"path": str(bundle), "digest": track.digest}
    found = run_worker("sfa_engine.prep.analyse", request, lambda _share, _doing: None)
    (bundle / FILE).write_bytes(unpacked(found["curves"]))
    curves = read_curves(bundle)
    stems = [stem.name for stem in track.stems if stem.name != WHOLE]
    names = [LOUDNESS, *(f"{PEAKS}{stem}" for stem in (WHOLE, *stems))]
    grid, beats = found["grid"], None
    if grid is not None:
        anchors = tuple(Anchor(each["frame"], each["beat"]) for each in grid["anchors"])
        beats = Grid(anchors, grid["bpm"], grid["beats_per_bar"])
    gain_db = round(min(LOUDNESS_LUFS - found["lufs"], CEILING_DBTP - found["peak_dbtp"]), 2)
    known = replace(track, grid=beats and at_rate(beats, grid["rate"], track.rate), gain_db=gain_db)
    rewrite_manifest(bundle, known)
    return facts_of(
        number,
        name=name,
        length_s=track.frames / track.rate,
        grid=beats,
        rate=grid["rate"] if beats else track.rate,
        confidence=found["confidence"],
        bpm=found["bpm"],
        variable=found["variable"],
        key=found["key"],
        energy=found["energy"],
        lufs=found["lufs"],
        gain_db=gain_db,
        sections=[(each["start_s"], each["end_s"], each["label"]) for each in found["sections"]],
        features={**found["features"], "confidences": found.get("confidences")},
        stems=stems,
        curves={name: (curves.values(name), curves.tables[name].rate_hz) for name in names},
    )


def pairs_of(
    tracks: Sequence[TrackFacts], count: int, seed: int, found: Collection[int] = ()
) -> list[tuple[int, int]]:
    """Return pairs of different tracks that can be mixed in time, by chance, none twice.

    Parameters
    ----------
    tracks : sequence of TrackFacts
    count, seed : int
    found : collection of int
        Tracks that were not made: up to half of the pairs are with one of these.
    """
    rng = np.random.default_rng(seed)
    fitting = [
        (one.id, other.id)
        for one in tracks
        for other in tracks
        if one.id != other.id and one.bpm and other.bpm and abs(other.bpm / one.bpm - 1) <= WITHIN
    ]
    order = [fitting[n] for n in rng.permutation(len(fitting))]
    chosen = [pair for pair in order if not set(found).isdisjoint(pair)][: count // 2]
    rest = [pair for pair in order if set(found).isdisjoint(pair)]
    return (chosen + rest)[:count]


def ways(out: TrackFacts, into: TrackFacts) -> dict[str, Plan]:
    """Return the plans of a pair: a linear fade at the end, outro on intro, and the planner's."""
    ours = plan_mix([out, into], ordered=True)
    return {
        "fade": replace(ours, transitions=(end_fade(out, into),), tracks=_unshifted(ours)),
        "outro": replace(ours, transitions=(outro_on_intro(out, into),), tracks=_unshifted(ours)),
        "plan": ours,
    }


def _unshifted(plan: Plan) -> tuple[Any, ...]:
    return tuple(replace(track, pitch_st=0) for track in plan.tracks)


def end_fade(out: TrackFacts, into: TrackFacts) -> Transition:
    """Return what players do: ten seconds before the end, straight in gain, not in time."""
    end_s = Timeline(out).sound_s[1]
    return Transition(
        out=out.id,
        into=into.id,
        kind="fade",
        out_s=max(0.0, end_s - FADE_S),
        in_s=Timeline(into).sound_s[0],
        seconds=FADE_S,
        fallback="a linear fade at the end",
        moves=_straight(FADE_S),
    )


def outro_on_intro(out: TrackFacts, into: TrackFacts) -> Transition:
    """Return eight bars in time, from where the outro begins on the first bar; equal power."""
    line, other = Timeline(out), Timeline(into)
    assert out.bpm
    assert into.bpm
    begin_s = line.outro_s if line.outro_s < line.sound_s[1] - 1.0 else 0.0
    at = int(np.searchsorted(line.edges_s, begin_s - 0.1)) if begin_s else line.bars
    place = max(0, min(at, line.bars - FADE_BARS))
    moves = (
        Move("in.fader", 0.0, 0.0, start=OFF_DB, over=float(FADE_BARS), curve="power"),
        Move("out.fader", 0.0, OFF_DB, start=0.0, over=float(FADE_BARS), curve="power"),
    )
    return Transition(
        out=out.id,
        into=into.id,
        kind="blend",
        out_bar=float(line.first + place),
        in_bar=float(other.first),
        bars=FADE_BARS,
        in_rate=round(out.bpm / into.bpm, 6),
        in_glide_bars=16,
        why=("outro on intro",),
        moves=moves,
    )


def _straight(seconds: float) -> tuple[Move, ...]:
    """Return the moves of both faders whose gains are straight lines."""

    def level(share: float) -> float:
        return OFF_DB if share <= 10 ** (OFF_DB / 20) else 20 * float(np.log10(share))

    moves = []
    over = seconds / STEPS
    for k in range(STEPS):
        now, then = k / STEPS, (k + 1) / STEPS
        at = round(k * over, 6)
        moves.append(Move("in.fader", at, level(then), start=level(now), over=over))
        moves.append(Move("out.fader", at, level(1 - then), start=level(1 - now), over=over))
    return tuple(moves)


class Mixed(NamedTuple):
    """A pair that was mixed in one way: its tempo apart, what came of it, what it cost."""

    way: str
    kind: str
    bars: int
    tempo_apart: float
    goals: tuple[Goal, ...]
    cpu_s: float
    pair: tuple[str, str] = ("", "")
    why: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return it for programs: each measure as ``[value, is_met]``."""
        measures = {goal.name: [goal.value, goal.is_met] for goal in self.goals}
        return {**self._asdict(), "goals": measures}


def mixed(
    out: TrackFacts, into: TrackFacts, bundles: Mapping[int, Path], only: Sequence[str] = WAYS
) -> Iterator[Mixed]:
    """Yield what comes of a pair in each way."""
    facts = {out.id: out, into.id: into}
    assert out.bpm
    assert into.bpm
    for way, plan in ways(out, into).items():
        if way not in only:
            continue
        began_s = time.process_time()
        found = render_transition(plan, facts, bundles, 0).measure()
        cpu_s = time.process_time() - began_s
        each = plan.transitions[0]
        goals = (
            *goals_of(found, each, plan),
            *place_goals(plan, 0, facts, found.tonal_both_bars),
        )
        apart = abs(into.bpm / out.bpm - 1)
        why = (each.fallback, *each.why) if each.fallback else each.why
        yield Mixed(way, each.kind, each.bars, apart, goals, cpu_s, (out.name, into.name), why)


def met_pct(found: Sequence[Mixed], way: str) -> dict[str, float]:
    """Return the share of pairs that meet each goal in a way, in percent, where it is measured."""
    shares: dict[str, list[bool]] = {}
    for each in found:
        if each.way == way:
            for goal in each.goals:
                if goal.is_met is not None:
                    shares.setdefault(goal.name, []).append(goal.is_met)
    return {name: 100.0 * sum(met) / len(met) for name, met in shares.items()}


def blends_pct(found: Sequence[Mixed]) -> float:
    """Return the share of blends of 8 to 16 bars among planned pairs within 6 % of tempo."""
    near = [each for each in found if each.way == PLANNED and each.tempo_apart <= NEAR]
    good = [each for each in near if each.kind == "blend" and 8 <= each.bars <= 16]
    return 100.0 * len(good) / max(1, len(near))


def table_of(found: Sequence[Mixed]) -> str:
    """Return the table of goals: share that meets each, and the middle value, for each way."""
    names = [goal.name for goal in found[0].goals] if found else []
    words = {goal.name: goal.goal for each in found for goal in each.goals}
    shares = {way: met_pct(found, way) for way in WAYS}
    lines = [
        "| measure | goal | linear fade at the end | outro on intro | the plan |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        cells = []
        for way in WAYS:
            values = [
                goal.value
                for each in found
                if each.way == way
                for goal in each.goals
                if goal.name == name and goal.value is not None
            ]
            share = shares[way].get(name)
            middle = float(np.median(values)) if values else 0.0
            cells.append("-" if share is None else f"{share:.0f} % ({middle + 0.0:.2g})")
        lines.append(f"| {name} | {words[name]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
