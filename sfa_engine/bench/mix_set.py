"""An evening of the automatic mix, performed offline on made tracks, some of which are odd.

::

    seeds ─► tracks ─► analysis ─► a library ─► plan ─► LiveMix ─► LiveEngine ─► dead air, stops
               │                                  │
               └─ beatless, 20 s long, in 3/4     └─ then one bundle is removed, one damaged

It is the live mix of the product, with a kernel that renders faster than real time. Club tracks are
few and come several times: as other tracks, with the same sound.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import describe
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.live_mix import LiveMix
from sfa_engine.backstage.mixes.live_performance import PERIOD_S
from sfa_engine.backstage.mixes.live_state import LiveState
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.steps.analyse import WORKER, read_answer, write_curves
from sfa_engine.bench.live_engine import RATE as ENGINE_RATE
from sfa_engine.bench.live_engine import LiveEngine
from sfa_engine.bench.pieces.kinds import make_piece
from sfa_engine.bench.pieces.multitrack import make_multitrack
from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.cli.run_worker import run_worker
from sfa_engine.demo.score import Signal
from sfa_engine.library import analysis, manifest, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tags import Tags
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.settings import MixSettings
from sfa_engine.script.levels import WINDOWS_HZ, Levels, silent_below
from sfa_engine.track.media import WHOLE, read_bundle

TRACK_MINUTES = 3.4  # of a club track in a mix
SOUNDS = 8  # different club tracks
SHORT_S, SHORT_FROM_S = 20.0, 70.0  # of a club track
NAME = "evening"
MISSING, DAMAGED = "missing", "damaged"
TOO_LONG = 1.5  # of what is planned: then it is not going to end


class Made(NamedTuple):
    """A track: its bundle, and what the analysis said of it."""

    title: str
    bundle: Path
    answer: Mapping[str, Any]


class Evening(NamedTuple):
    """What came of an evening.

    Parameters
    ----------
    planned : int
        Tracks.
    played : int
        Tracks that sounded as the one that plays.
    left_out : list of str
        Tracks that could not be played, each with the reason.
    has_ended : bool
        Whether the mix ended by itself, after its last track.
    seconds, wall_s, cpu_s : float
        Of music, and what it took.
    silences : list of (float, float)
        When the mix was silent between its first and its last sound, and how long, in seconds.
    blends : int
        Transitions of the plan, as it was performed, in which beats go together.
    """

    planned: int
    played: int
    left_out: list[str]
    has_ended: bool
    seconds: float
    wall_s: float
    cpu_s: float
    silences: list[tuple[float, float]]
    blends: int

    @property
    def dead_air_s(self) -> float:
        """The longest silence."""
        return max((length for _, length in self.silences), default=0.0)


def silences(levels: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return begin and length, in seconds, of what is 30 dB below the median of what sounds."""
    sounding = levels[levels > 1e-5]
    if not len(sounding):
        return []
    quiet = levels < silent_below(sounding)
    first, last = np.flatnonzero(~quiet)[[0, -1]].tolist()
    edges = np.flatnonzero(np.diff(quiet[first : last + 1].astype(np.int8))).tolist()
    return [
        ((first + begin + 1) / WINDOWS_HZ, (end - begin) / WINDOWS_HZ)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def make_tracks(folder: Path, clubs: int, seed: int, bar: Callable[[float], None]) -> list[Made]:
    """Make club tracks and five odd ones, and analyse them; those of one sound share its files."""
    sounds = min(clubs, SOUNDS)
    made: list[Made] = []
    for number in range(sounds):
        bar(number / (sounds + 3))
        stems = make_multitrack(seed + number).stems
        made.append(make(folder, f"Club {number + 1}", stems))
    first = made[0]
    made += [copy(folder, made[n % sounds], f"Club {n + 1}") for n in range(sounds, clubs)]
    cut = slice(round(SHORT_FROM_S * RATE), round((SHORT_FROM_S + SHORT_S) * RATE))
    stems = make_multitrack(seed).stems
    odd: dict[str, Mapping[str, Signal]] = {
        "20 s": {name: sound[cut] for name, sound in stems.items()},
        "Beatless": {WHOLE: make_piece("noise", seed).sound},
        "Waltz": {WHOLE: make_piece("three_four", seed).sound},
    }
    made += [make(folder, title, sound) for title, sound in odd.items()]
    made += [copy(folder, first, title) for title in (MISSING, DAMAGED)]
    return made


def make(folder: Path, title: str, stems: Mapping[str, Signal]) -> Made:
    """Write a track's bundle, and analyse it.

    Parameters
    ----------
    folder : pathlib.Path
        Of bundles.
    title : str
        Also the bundle's name.
    stems : mapping of str to float32[frames, 2]
    """
    bundle = write_bundle_arrays(
        folder / f"{title}.sfa", stems, title=title, artist="", bpm=None, rate=RATE
    )
    request = {"path": str(bundle), "digest": read_bundle(bundle).track.digest}
    answer = run_worker(WORKER, request, lambda _share, _doing: None)
    write_curves(bundle, answer)
    return Made(title, bundle, answer)


def copy(folder: Path, other: Made, title: str) -> Made:
    """Return a track of the same sound."""
    bundle = folder / f"{title}.sfa"
    # Manifests are written anew; sound is never changed in place.
    shutil.copytree(
        other.bundle, bundle, copy_function=shutil.copy if title == DAMAGED else os.link
    )
    return Made(title, bundle, other.answer)


def perform(
    folder: Path, made: Sequence[Made], bar: Callable[[float], None] = lambda _: None
) -> Evening:
    """Perform a mix of made tracks, whose bundles are in the folder of a library's bundles."""
    with asyncio.Runner() as runner:
        return runner.run(_perform(folder, made, bar))


async def _perform(folder: Path, made: Sequence[Made], bar: Callable[[float], None]) -> Evening:
    places = Places(folder, folder / "tracks")
    needed: dict[str, Any] = dict.fromkeys(f.name for f in dataclasses.fields(PrepContext))
    needed["settings"] = Settings(folder, places.bundles, folder / "models")
    async with await Database.open(places.database) as database:
        context = PrepContext(**needed | {"database": database, "places": places})
        ids = [await _stored(context, each) for each in made]
        reader, store = FactsReader(context), PlanStore(folder)
        facts = await reader.of(ids)
        plan = plan_mix(list(facts.values()), MixSettings("wave"))
        await store.write(NAME, plan)
        _break(places.bundles)
        levels = Levels(round(ENGINE_RATE))
        engine = LiveEngine(folder, levels.add)
        mix = LiveMix(context, reader, store, folder, lambda _news: None)
        await mix.start(NAME)
        state = mix.state
        assert state is not None
        most_s = TOO_LONG * sum(track.length_s for track in facts.values())
        played: set[int] = set()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        while await mix.step(engine) and engine.time_s < most_s:
            engine.run(PERIOD_S)
            played.update(_sounding(state))
            bar(min(1.0, engine.time_s * TOO_LONG / most_s))
        return Evening(
            planned=len(ids),
            played=len(played),
            left_out=list(state.dropped),
            has_ended=mix.state is None,
            seconds=engine.time_s,
            wall_s=time.monotonic() - began_s,
            cpu_s=time.process_time() - began_cpu_s,
            silences=silences(levels.rows),
            blends=sum(each.kind == "blend" for each in state.plan.transitions),
        )


def _sounding(state: LiveState) -> list[int]:
    now, _ = state.tracks
    return [now.id] if now else []


def _break(bundles: Path) -> None:
    """Remove one bundle, and damage another: a plan was made with both."""
    shutil.rmtree(bundles / f"{MISSING}.sfa")
    damaged = bundles / f"{DAMAGED}.sfa"
    sound = next(each for each in damaged.iterdir() if each.suffix == ".wav")
    os.truncate(sound, sound.stat().st_size // 2)


async def _stored(context: PrepContext, made: Made) -> int:
    """Store a track with its analysis, as a preparation does; return its number."""
    media = read_bundle(made.bundle).track
    names = sorted(stem.name for stem in media.stems if stem.name != WHOLE)
    found, grid, rate = read_answer(made.answer, names)
    sound = describe(made.bundle, found)
    async with context.database.transaction(durable=False) as connection:
        tags = Tags(title=made.title, artist=f"Artist of {made.title}")
        track, _ = await tracks.add(connection, f"/{made.title}", tags=tags)
        length_s = media.frames / media.rate
        await tracks.set_bundle(connection, track.id, made.bundle.name, length_s)
        origins = [StemOrigin(name, "made") for name in names]
        await analysis.set_stems(connection, track.id, origins)
        await analysis.store(connection, track.id, found, grid=grid, rate=rate)
        await sound.store(connection, track.id)
    await manifest.update(context.database, context.places, track.id)
    return track.id
