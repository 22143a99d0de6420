"""`sfa bench mix`: searches in words, meters and mastering, in its own process.

``words``: the library is made: a real database of as many tracks as asked for, with genres, keys,
tempos and random sounds. What is measured is the whole verb, words to a page of hits with reasons.
``meters``: errors in the generated cases of EBU Tech 3341 and 3342, beside their tolerance.
``master``: cost and exactness of a master, from file to file.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.bench.loudness_cases import readings
from sfa_engine.bench.rig import Result, chosen_of, result
from sfa_engine.cli import screen
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tracks import edit
from sfa_engine.mix.mastering.chain import PRESETS
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.mix.words import read
from sfa_engine.prep.master.mastering import Request, Source, master, measured
from sfa_engine.track.key import KEYS, camelot

RUNS = 30
MASTER_S = 120.0
MASTER_RATE = 44_100  # Hz
SEARCHES = {
    "feel": "dark rolling hypnotic",
    "sentence": "dark rolling techno around 126 that goes with 12",
    "operators": "bright house bpm:118-128 key:~8A year:>2000 rating:>=3",
    "like": "tracks like 7, but faster",
    "names": "artist 17 energetic",
}
_GENRES = ("Techno", "House", "Deep House", "Trance", "Drum & Bass", "Disco", "Ambient", "")


def run_bench(*, tracks: int, only: tuple[str, ...], quiet: bool) -> list[Result]:
    """Run the requested parts, or all; return their results.

    Parameters
    ----------
    tracks : int
        Of the library.
    only : tuple of str
        Parts; all if empty.
    quiet : bool
        No progress bar.
    """
    with screen.progress_bar("bench", quiet=quiet) as bar:
        parts: dict[str, Callable[[], list[Result]]] = {
            "words": lambda: bench_words(tracks),
            "meters": bench_meters,
            "master": lambda: bench_master(quiet=quiet),
        }
        results = []
        for name in chosen_of(parts, only):
            bar(0.0, f"bench: {name}")
            results += parts[name]()
        bar(1.0, "bench")
    return results


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
        verbs = WordVerbs(context, Describer(context))
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
    """Fill a library with random tracks, their analyses and sounds."""
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
