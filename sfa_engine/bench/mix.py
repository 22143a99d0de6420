"""`sfa bench mix`: searches in words, the planner, mixes of made tracks, meters and mastering.

``words``: the library is made: a real database of as many tracks as asked for, with genres, keys,
tempos and random sounds. What is measured is the whole verb, words to a page of hits with reasons.
``pairs``: pairs of made tracks, mixed in three ways, rendered and measured.
``random``: 1,000 pairs of tracks of any kind, without a sound: always a plan, with its reason.
``set``: an evening of the automatic mix, performed on made tracks, some of which are odd.
``meters``: errors in the generated cases of EBU Tech 3341 and 3342, beside their tolerance.
``master``: cost and exactness of a master, from file to file.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.backstage.verbs.tags import TagVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.bench.loudness_cases import readings
from sfa_engine.bench.mix_pairs import (
    PLANNED,
    WAYS,
    Mixed,
    blends_pct,
    found_track,
    found_tracks,
    made_track,
    met_pct,
    mixed,
    pairs_of,
    table_of,
)
from sfa_engine.bench.mix_set import TRACK_MINUTES, make_tracks, perform
from sfa_engine.bench.random_pairs import random_pairs
from sfa_engine.bench.rig import Result, chosen_of, result
from sfa_engine.cli import screen
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tracks import edit
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.goals import MAX_SILENCE_S
from sfa_engine.mix.mastering.chain import PRESETS
from sfa_engine.mix.order import order_tracks
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.mix.words import read
from sfa_engine.prep.master.mastering import Request, Source, master, measured
from sfa_engine.track import sound_tags
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import KEYS, camelot

RUNS = 30
MINUTES = 120.0
RANDOM_PAIRS = 1000
PAIRS, SEED = 100, 7300
ORDERED = 100  # tracks
MIN_MADE, MAX_MADE = 4, 24  # tracks that pairs are made of: each takes 12 CPU-s
MASTER_S = 120.0
MASTER_RATE = 44_100  # Hz
SEARCHES = {
    "feel": "dark rolling hypnotic",
    "sentence": "dark rolling techno around 126 that goes with 12",
    "operators": "bright house bpm:118-128 key:~8A year:>2000 rating:>=3",
    "like": "tracks like 7, but faster",
    "names": "artist 17 energetic",
    "tags": "calm jazz with piano",
}
_GENRES = ("Techno", "House", "Deep House", "Trance", "Drum & Bass", "Disco", "Ambient", "")


def run_bench(
    *,
    tracks: int,
    pairs: int = PAIRS,
    seed: int = SEED,
    table: Path | None = None,
    rows: Path | None = None,
    index: Path | None = None,
    sung_ends: bool = False,
    minutes: float = MINUTES,
    only: tuple[str, ...],
    quiet: bool,
) -> list[Result]:
    """Run the requested parts, or all; return their results.

    Parameters
    ----------
    tracks : int
        Of the library.
    pairs : int
        Of made tracks that are mixed, rendered and measured.
    seed : int
        Of these tracks.
    table : pathlib.Path, optional
        File that gets the table of goals, as Markdown.
    rows : pathlib.Path, optional
        File that gets the measures of each pair in each way, an object a line, as they are taken.
    index : pathlib.Path, optional
        A folder or a list of tracks; up to half of the pairs are with one of these.
    sung_ends : bool
        Whether their intros and outros have a voice.
    minutes : float
        Of the evening, about.
    only : tuple of str
        Parts; all if empty.
    quiet : bool
        No progress bar.
    """
    with screen.progress_bar("bench", quiet=quiet) as bar:
        parts: dict[str, Callable[[], list[Result]]] = {
            "words": lambda: bench_words(tracks),
            "order": bench_order,
            "pairs": lambda: bench_pairs(
                pairs, seed, bar, table=table, rows=rows, index=index, sung_ends=sung_ends
            ),
            "random": lambda: bench_random(seed),
            "set": lambda: bench_set(minutes, seed, bar),
            "meters": bench_meters,
            "master": lambda: bench_master(quiet=quiet),
        }
        results = []
        for name in chosen_of(parts, only):
            bar(0.0, f"bench: {name}")
            results += parts[name]()
        bar(1.0, "bench")
    return results


def bench_order() -> list[Result]:
    """Measure how long it takes to order 100 tracks by a wave, and to plan all of a mix of them."""
    rng = np.random.default_rng(3)
    made = [
        TrackFacts(
            number,
            f"Track {number}",
            artist=f"Artist {number % 40}",
            length_s=240.0,
            grid=Grid((Anchor(0.0, 0.0),), bpm),
            confidence=0.9,
            bpm=bpm,
            camelot=camelot(KEYS[int(rng.integers(len(KEYS)))]),
            energy=float(rng.uniform(0.2, 0.9)),
            lufs=-9.0,
            vector=tuple(rng.normal(size=VECTOR).tolist()),
        )
        for number, bpm in enumerate(rng.normal(126, 5, ORDERED).round(2).tolist(), 1)
    ]
    began_s = time.perf_counter()
    order_tracks(made, arc="wave")
    took_s = time.perf_counter() - began_s
    return [result("order_100_s", took_s, "s", 1)]


def bench_pairs(
    pairs: int,
    seed: int,
    bar: Callable[[float, str], None],
    *,
    table: Path | None = None,
    rows: Path | None = None,
    index: Path | None = None,
    sung_ends: bool = False,
) -> list[Result]:
    """Mix pairs of tracks in three ways; measure them, and what plans and renders cost."""
    found: list[Mixed] = []
    planned_ms: list[float] = []
    planned_cpu_ms: list[float] = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="sfa-bench-")))
        lines = opened.enter_context(rows.open("w", encoding="utf-8")) if rows else None
        facts, given = _tracks(pairs, seed, bar, folder, index, sung_ends=sung_ends)
        by_id = {track.id: track for track in facts}
        bundles = {number: folder / f"{number}.sfa" for number in by_id}
        chosen = pairs_of(facts, pairs, seed, given)
        for number, (out, into) in enumerate(chosen, 1):
            bar(0.4 + 0.6 * (number - 1) / len(chosen), f"bench: pair {number} of {len(chosen)}")
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            plan_mix([by_id[out], by_id[into]], ordered=True)
            planned_ms.append(_ms_since(began_s))
            planned_cpu_ms.append(1000 * (time.process_time() - began_cpu_s))
            for each in mixed(by_id[out], by_id[into], bundles):
                found.append(each)
                if lines:
                    print(json.dumps(each.row()), file=lines, flush=True)
    if table is not None:
        table.write_text(table_of(found), encoding="utf-8")
    ours = [each for each in found if each.way == PLANNED]
    met = met_pct(found, PLANNED)
    results = [
        result("pair_planned_ms", float(np.median(planned_ms)), "ms", len(planned_ms)),
        result("pair_planned_cpu_ms", float(np.median(planned_cpu_ms)), "CPU-ms", len(planned_ms)),
        result("pair_planned_slowest_cpu_ms", max(planned_cpu_ms), "CPU-ms", len(planned_ms)),
        result("audition_cpu_s", float(np.median([x.cpu_s for x in ours])), "CPU-s", len(ours)),
        result("mix_goals_met_pct", min(met.values()), "%", len(ours)),
        result("mix_blends_pct", blends_pct(found), "%", len(ours)),
    ]
    for way in WAYS:
        results += [
            result(f"mix_{way}_{name}_pct", share, "%", len(ours))
            for name, share in met_pct(found, way).items()
        ]
    return results


def _tracks(
    pairs: int,
    seed: int,
    bar: Callable[[float, str], None],
    folder: Path,
    index: Path | None,
    *,
    sung_ends: bool,
) -> tuple[list[TrackFacts], set[int]]:
    """Make and find the tracks of pairs; return their facts, and the numbers of those found."""
    seeds = [seed + n for n in range(1, max(MIN_MADE, min(MAX_MADE, pairs // 4)) + 1)]
    paths = found_tracks(index) if index else []
    count = len(seeds) + len(paths)
    facts = []
    for number, track_seed in enumerate(seeds, 1):
        bar(0.4 * (number - 1) / count, f"bench: track {number} of {count}")
        facts.append(made_track(number, track_seed, folder, sung_ends=sung_ends))
    for number, path in enumerate(paths, len(seeds) + 1):
        bar(0.4 * (number - 1) / count, f"bench: track {number} of {count}")
        if (each := found_track(number, path, folder)) is not None:
            facts.append(each)
    return facts, {track.id for track in facts[len(seeds) :]}


def bench_random(seed: int) -> list[Result]:
    """Plan pairs of tracks of any kind; count those without a plan, and the rules that break."""
    found = list(random_pairs(RANDOM_PAIRS, seed))
    planned = [each.transition for each in found if each.transition]
    said = sum(bool(each.fallback or each.kind == "blend") for each in planned)
    took_ms = [each.took_ms for each in found]
    count = len(found)
    return [
        result("random_planned_pct", 100 * len(planned) / count, "%", count),
        result("random_reasons_pct", 100 * said / count, "%", count),
        result("random_broken", sum(bool(each.broken) for each in found), "pairs", count),
        result(
            "random_blends_pct",
            100 * sum(each.kind == "blend" for each in planned) / count,
            "%",
            count,
        ),
        result("random_slowest_cpu_ms", max(took_ms), "CPU-ms", count),
    ]


def bench_set(minutes: float, seed: int, bar: Callable[[float, str], None]) -> list[Result]:
    """Perform an evening of the automatic mix; measure silences, and what was not played."""
    clubs = max(1, round(minutes / TRACK_MINUTES))
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as name:
        folder = Path(name)
        made = make_tracks(
            folder / "tracks", clubs, seed, lambda share: bar(0.5 * share, "bench: tracks")
        )
        found = perform(folder, made, lambda share: bar(0.5 + 0.5 * share, "bench: set"))
    lost = found.planned - found.played - len(found.left_out)
    count = found.planned
    return [
        result("set_minutes", found.seconds / 60, "min", count),
        result("set_ended", found.has_ended, "", count),
        result("set_played", found.played, "tracks", count),
        result("set_left_out", len(found.left_out), "tracks", count),
        result("set_lost", lost, "tracks", count),
        result("set_blends", found.blends, "blends", count),
        result("set_dead_air_s", found.dead_air_s, "s", count, MAX_SILENCE_S),
        result("set_cpu_s_per_minute", 60 * found.cpu_s / found.seconds, "CPU-s", count),
    ]


def bench_words(tracks: int) -> list[Result]:
    """Measure searches in words over a library of random tracks."""
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as folder, asyncio.Runner() as runner:
        return runner.run(_searches(Path(folder), tracks))


def bench_meters() -> list[Result]:
    """Measure the meters' errors; the baseline of each is its tolerance."""
    found = list(readings())
    units = {"3341": "LU", "3342": "LU"} | {f"3341_{n}": "dB" for n in range(15, 24)}
    results = [
        result(
            f"ebu_{each.name}_error",
            abs(each.error),
            units.get(each.name, units[each.name[:4]]),
            1,
            each.tolerance,
        )
        for each in found
    ]
    met = 100.0 * sum(each.is_met for each in found) / len(found)
    return [*results, result("ebu_cases_met_pct", met, "%", len(found))]


def bench_master(*, quiet: bool) -> list[Result]:
    """Measure a master of noise like music: CPU time a minute, and how exact it is."""
    screen.build_kernel(quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as folder:
        path, out = Path(folder) / "mix.wav", Path(folder) / "master.flac"
        soundfile.write(path, pink(MASTER_S, 0.4), MASTER_RATE, "PCM_24")
        per_minute = 60.0 / MASTER_S
        began_s = time.process_time()
        measured(Source(path), lambda _share: None)
        report_s = time.process_time() - began_s
        began_s = time.process_time()
        made = master(Request(path, out), lambda _share, _doing: None)["result"]
        master_s = time.process_time() - began_s
    aim = PRESETS["streaming"]
    assert aim.target_lufs is not None
    error_lu = abs(made["integrated_lufs"] - aim.target_lufs)
    over_db = made["true_peak_dbtp"] - aim.ceiling_dbtp
    return [
        result("master_report_cpu_s_per_minute", report_s * per_minute, "CPU-s", 1),
        result("master_cpu_s_per_minute", master_s * per_minute, "CPU-s", 1),
        result("master_loudness_error", error_lu, "LU", 1),
        result("master_over_ceiling", over_db, "dB", 1),
    ]


def pink(seconds: float, peak: float) -> NDArray[np.float64]:
    """Return noise that falls by 3 dB an octave: float64[frames, 2]."""
    white = np.random.default_rng(3).standard_normal((round(seconds * MASTER_RATE), 2))
    # P. Kellet's filter: within 0.3 dB from 20 Hz on
    noise = lfilter(
        [0.049922035, -0.095993537, 0.050612699, -0.004408786],
        [1.0, -2.494956002, 2.017265875, -0.522189400],
        white,
        axis=0,
    )
    scaled: NDArray[np.float64] = noise * (peak / np.abs(noise).max())
    return scaled


async def _searches(folder: Path, count: int) -> list[Result]:
    places = Places(folder, folder / "tracks")
    results = []
    async with await Database.open(places.database) as database:
        await fill(database, count)
        # The searches need the database and the folders alone.
        needed: dict[str, Any] = dict.fromkeys(f.name for f in dataclasses.fields(PrepContext))
        context = PrepContext(**needed | {"database": database, "places": places})
        shelf = KeptShelf()
        verbs, tags = WordVerbs(context, Describer(context), shelf=shelf), TagVerbs(context, shelf)
        began_s = time.perf_counter()
        await verbs.library_search_words("dark", limit=50)
        results.append(result("words_first_ms", _ms_since(began_s), "ms", 1))
        for name, text in SEARCHES.items():
            took_ms, cpu_ms = [], []
            for _ in range(RUNS):
                began_s, began_cpu_s = time.perf_counter(), time.process_time()
                found = await verbs.library_search_words(text, limit=50)
                took_ms.append(_ms_since(began_s))
                cpu_ms.append(1000.0 * (time.process_time() - began_cpu_s))
                assert found["tracks"], text
            results += [
                result(f"words_{name}_ms", float(np.median(took_ms)), "ms", RUNS),
                result(f"words_{name}_cpu_ms", float(np.median(cpu_ms)), "CPU-ms", RUNS),
            ]
        lists: dict[str, Callable[[], Awaitable[Any]]] = {
            "words_numbers_ms": lambda: verbs.library_numbers_words(SEARCHES["feel"]),
            "tags_counted_ms": tags.library_tags,
        }
        for name, ask in lists.items():
            took_ms = []
            for _ in range(RUNS):
                began_s = time.perf_counter()
                await ask()
                took_ms.append(_ms_since(began_s))
            results.append(result(name, float(np.median(took_ms)), "ms", RUNS))
        changed_ms = []
        for number in range(1, RUNS + 1):
            async with database.transaction(durable=False) as connection:
                await edit(connection, number, rating=5)
            began_s = time.perf_counter()
            await verbs.library_search_words("dark", limit=50)
            changed_ms.append(_ms_since(began_s))
        median_ms = float(np.median(changed_ms))
        results.append(result("words_after_a_change_ms", median_ms, "ms", RUNS))
    parse_ms = [_parse_ms(text) for text in SEARCHES.values() for _ in range(RUNS)]
    results.append(result("words_parse_ms", float(np.median(parse_ms)), "ms", len(parse_ms)))
    return results


async def fill(database: Database, count: int) -> None:
    """Fill a library with random tracks, their analyses, sounds and tags."""
    async with database.transaction(durable=False) as connection:
        await connection.executemany(
            "INSERT INTO tracks (id, uuid, title, artist, album, genre, year, duration_s, bundle,"
            " state, bpm, key, camelot, energy, rating, added_at, changed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'ready', ?, ?, ?, ?, ?, ?, ?)",
            _rows(count),
        )
        await connection.execute(
            "INSERT INTO analyses (track_id, version, made_at) SELECT id, '1', added_at FROM tracks"
        )
        rng = np.random.default_rng(1)
        kinds = rng.normal(size=(24, VECTOR))
        await connection.executemany(
            "INSERT INTO sounds (track_id, version, vector, measures) VALUES (?, ?, ?, ?)",
            (
                (
                    number,
                    VERSION,
                    (kinds[number % 24] + rng.normal(size=VECTOR)).astype("<f4").tobytes(),
                    rng.normal(size=len(MEASURES)).astype("<f4").tobytes(),
                )
                for number in range(1, count + 1)
            ),
        )
        units = rng.normal(size=(24, sound_tags.VECTOR))
        await connection.executemany(
            "INSERT INTO sound_tags (track_id, version, digest, vector, measures)"
            " VALUES (?, ?, '', ?, ?)",
            (
                (
                    number,
                    sound_tags.VERSION,
                    (units[number % 24] + rng.normal(size=sound_tags.VECTOR))
                    .astype("<f4")
                    .tobytes(),
                    rng.beta(0.3, 3.0, size=len(sound_tags.LABELS)).astype("<f4").tobytes(),
                )
                for number in range(1, count + 1)
            ),
        )


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    rng = np.random.default_rng(2)
    now = time.time()
    for number in range(1, count + 1):
        key = KEYS[int(rng.integers(len(KEYS)))]
        yield (
            number, str(number), f"Title {number}", f"Artist {number % 900}", "Album",
            _GENRES[int(rng.integers(len(_GENRES)))], int(rng.integers(1975, 2027)),
            float(rng.uniform(120, 600)), f"{number}.sfa", float(rng.normal(126, 18)), key,
            camelot(key), float(rng.uniform(0.2, 0.9)), int(rng.integers(0, 6)),
            now - float(rng.uniform(0, 1e8)), now - float(rng.uniform(0, 1e7)),
        )  # fmt: skip


def _parse_ms(text: str) -> float:
    began_s = time.perf_counter()
    read(text)
    return _ms_since(began_s)


def _ms_since(began_s: float) -> float:
    return 1000.0 * (time.perf_counter() - began_s)
