"""``sfa bench``: the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.main import Group
from sfa_engine.cli.options import device_option
from sfa_engine.cli.terminal import print_json


@click.group(cls=Group)
def bench() -> None:
    """Measure the engine on this machine, against a client that does nothing."""


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--seconds", default=8.0, show_default=True, help="Of each live scene.")
@click.option("--hog-seconds", default=20.0, show_default=True, help="Under hogged interpreters.")
@click.option(
    "--only", multiple=True, help="A part: kernel, live, hogs, latency, start, load, lives, stage."
)
@click.option(
    "--runs", type=click.IntRange(1), default=1, show_default=True,
    help="Run everything so often; report medians, with min and max.",
)  # fmt: skip
@device_option
def engine(
    as_json: bool,
    seconds: float,
    hog_seconds: float,
    only: tuple[str, ...],
    runs: int,
    device: str | None,
) -> None:
    """Measure the audio thread, latency, start, load, and recovery from killed processes."""
    from sfa_engine.bench.engine import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    results = run_bench(
        seconds=seconds,
        hog_seconds=hog_seconds,
        only=only,
        device=device,
        quiet=as_json,
        runs=runs,
    )
    _show_results(results, as_json=as_json)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--seconds", type=click.FloatRange(0.5), default=8.0, show_default=True,
              help="Of each scene whose cost is measured.")  # fmt: skip
@click.option("--drift-seconds", type=click.FloatRange(1), default=7200.0, show_default=True,
              help="Of audio, offline.")  # fmt: skip
@click.option("--gestures", type=click.IntRange(1), default=500, show_default=True,
              help="Spread over them: jumps, loops, rates …")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True,
              help="Of the live performance.")  # fmt: skip
@click.option(
    "--only", multiple=True, help="A part: varispeed, keylock, finer, full, effects, pads, …"
)
@click.option(
    "--kills",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="Of the set that is rendered again.",
)
@click.option(
    "--runs", type=click.IntRange(1), default=1, show_default=True,
    help="Run what measures cost so often; report medians, with min and max.",
)  # fmt: skip
@device_option
def perform(as_json: bool, **options: Any) -> None:
    """Measure two decks that are performed on: cost, drift, and late blocks."""
    from sfa_engine.bench.perform import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    _show_results(run_bench(quiet=as_json, **options), as_json=as_json)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--presses", default=500, show_default=True, help="Of each part that presses.")
@click.option("--only", multiple=True, help="A part: midi, midi-hogs, midi-no-stage.")
def surfaces(as_json: bool, presses: int, only: tuple[str, ...]) -> None:
    """Measure latency and losses of controllers."""
    from sfa_engine.bench.surfaces import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    results = run_bench(only=only, presses=presses, quiet=as_json)
    _show_results(results, as_json=as_json)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--seconds", type=click.FloatRange(0.5), default=10.0, show_default=True,
              help="Of each part that watches or asks.")  # fmt: skip
@click.option("--only", multiple=True, help="A part: status, clients, crowd, page.")
@device_option
def web(as_json: bool, seconds: float, only: tuple[str, ...], device: str | None) -> None:
    """Measure the web process: its cost, its way to the sound, and the sound beside a crowd."""
    from sfa_engine.bench.web import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    results = run_bench(seconds=seconds, only=only, device=device, quiet=as_json)
    _show_results(results, as_json=as_json)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--seconds", type=click.FloatRange(0.5), default=10.0, show_default=True,
              help="Of the decks' frames, and of scrolling.")  # fmt: skip
@click.option("--asleep", "asleep_s", type=click.FloatRange(0.0), default=10.0, show_default=True,
              help="Seconds that the page sleeps.")  # fmt: skip
@click.option("--rows", type=click.IntRange(1), default=20_000, show_default=True,
              help="Of the library.")  # fmt: skip
@click.option("--only", multiple=True, help="A part: decks, wake, library.")
@device_option
def page(as_json: bool, **options: Any) -> None:
    """Measure the web UI in Chromium without a GPU: frames, a long library, waking up."""
    from sfa_engine.bench.page import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    _show_results(run_bench(quiet=as_json, **options), as_json=as_json)


@bench.command(name="separate")
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--set", "folder", type=click.Path(path_type=Path),
              help="Folder of true stems, or of such folders.")  # fmt: skip
@click.option("--seconds", default=120.0, show_default=True, help="Of noise, for the cost.")
@click.option("--only", multiple=True, help="An engine: embedded, sketch, demucs.")
def separate_(as_json: bool, folder: Path | None, seconds: float, only: tuple[str, ...]) -> None:
    """Measure stem separation: cost, quality, and Demucs beside its own command."""
    from sfa_engine.bench.separate import run_bench

    results = run_bench(folder=folder, seconds=seconds, only=only, quiet=as_json)
    _show_results(results, as_json=as_json)


@bench.command(name="prep")
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--tracks", default=100, show_default=True, help="In the queue of the crowd.")
@click.option("--engine", default="none", show_default=True, help="Of their separation.")
@click.option("--only", multiple=True, help="A part: analysis, crowd.")
@device_option
def prep_(
    as_json: bool, tracks: int, engine: str, only: tuple[str, ...], device: str | None
) -> None:
    """Measure the analysis, and two decks that play while many tracks are prepared."""
    from sfa_engine.bench.prep import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    results = run_bench(tracks=tracks, engine=engine, only=only, device=device, quiet=as_json)
    _show_results(results, as_json=as_json)


@bench.command(name="analysis")
@click.option("--kinds", default="", help="Kinds or groups of pieces, with commas; else all.")
@click.option("--seed", type=click.IntRange(0), default=101, show_default=True, help="The first.")
@click.option("--count", type=click.IntRange(1), default=2, show_default=True, help="Of each kind.")
@click.option(
    "--index",
    type=click.Path(path_type=Path, exists=True),
    help="Score these instead: a folder, or a CSV list, of sounds with truth.",
)
@click.option("--only", multiple=True, help="An engine: product, librosa.")
@click.option("--no-cost", is_flag=True, help="Leave out the file of an hour.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for pieces and answers.")
@click.option("--docs", type=click.Path(path_type=Path), help="docs/, to write tables and picture.")
@click.option("--json", "as_json", is_flag=True, help="All scores, for programs.")  # fmt: skip
def analysis_(**options: Any) -> None:
    """Measure how right the analysis is on pieces with known truth, beside librosa."""
    from sfa_engine.bench.analysis.report import run_bench

    run_bench(**options)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--tracks", type=click.IntRange(20), default=20_000, show_default=True,
              help="Of the library.")  # fmt: skip
@click.option("--pairs", type=click.IntRange(1, 500), default=100, show_default=True,
              help="Of made tracks, mixed in three ways and measured: 10 CPU-s each.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=7300, show_default=True,
              help="Of the made tracks.")  # fmt: skip
@click.option("--sung-ends", is_flag=True, help="Of the pairs: with a voice in intro and outro.")
@click.option("--table", type=click.Path(path_type=Path), help="File for the table of goals.")
@click.option("--minutes", type=click.FloatRange(1, 600), default=120.0, show_default=True,
              help="Of the evening: 0.6 CPU-s a minute, and 100 for its tracks.")  # fmt: skip
@click.option(
    "--only", multiple=True, help="A part: words, order, pairs, random, set, meters, master."
)
def mix(as_json: bool, **options: Any) -> None:
    """Measure searches in words, the planner, mixes of made tracks, meters and mastering."""
    from sfa_engine.bench.mix import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    _show_results(run_bench(quiet=as_json, **options), as_json=as_json)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--only", multiple=True, help="A part: routing, truth, memory.")
def agents(as_json: bool, only: tuple[str, ...]) -> None:
    """Measure agents without a model: who is asked, and whether the answers are true."""
    from sfa_engine.bench.agents import run_bench
    from sfa_engine.cli import screen

    screen.build_kernel(quiet=as_json)
    _show_results(run_bench(only=only, quiet=as_json), as_json=as_json)


def _show_results(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"results": results})
        return
    for r in results:
        baseline = f"  baseline {r['baseline']:.6g}" if r["baseline"] is not None else ""
        ratio = f"  ratio {r['ratio']:.3g}" if r["ratio"] is not None else ""
        spread = f"  {r['runs']} runs, {r['min']:.6g} to {r['max']:.6g}" if "runs" in r else ""
        click.echo(
            f"{r['name']:34} {r['value']:.6g} {r['unit']}{baseline}{ratio}  n={r['n']}{spread}"
        )
