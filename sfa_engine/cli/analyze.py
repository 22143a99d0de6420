"""`sfa analyze`: tempo, beats, key, loudness, sections and cues of sound files.

Each file is analysed by a worker program in a process of its own: a crash there, or
exhausted memory, costs that file alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.terminal import one_line, print_error, print_json_line
from sfa_engine.errors import SfaError

if TYPE_CHECKING:
    from sfa_engine.prep.hot_cue import CuesConfig

WORKER = "sfa_engine.prep.analyse"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One object a file, a line each.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def analyze(files: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Analyse sound files: tempo, beats, key, loudness, sections and cues."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.run_worker import run_worker
    from sfa_engine.run.config import load_config

    config = load_config().cues
    failed = 0
    for file in files:
        try:
            with screen.progress_bar(file.name, quiet=quiet or not sys.stderr.isatty()) as bar:
                result = run_worker(WORKER, {"path": str(file)}, bar)
                bar(1.0)
            result["cues"] = _chosen(result, config)
        except SfaError as error:
            failed += 1
            print_error(error)
            continue
        if as_json:
            named = {"file": str(file), **result} if len(files) > 1 else result
            print_json_line(named)
        else:
            click.echo(one_line(f"{file}: {in_words(result)}"))
    if failed:
        raise click.exceptions.Exit(1)


def _chosen(result: dict[str, Any], config: CuesConfig) -> list[dict[str, Any]]:
    """Return the cues of an analysis with the hot cues that the configuration asks for."""
    from sfa_engine.prep.hot_cue import choose_values
    from sfa_engine.track.grid import Anchor, Grid

    found = result["grid"]
    if found is None:
        return choose_values(result["cues"], config, None, 1)
    anchors = tuple(Anchor(a["frame"], a["beat"]) for a in found["anchors"])
    grid = Grid(anchors, found["bpm"], found["beats_per_bar"])
    return choose_values(result["cues"], config, grid, found["rate"])


def in_words(result: dict[str, Any]) -> str:
    """Return an analysis as one line of text."""
    if result["bpm"] is None:
        tempo = "no beat"
    else:
        tempo = f"{result['bpm']:g} BPM" + (" (varies)" if result["variable"] else "")
        if result["confidence"] < 0.5:
            tempo += ", check the grid"
    key = f"{result['key']} ({result['camelot']})" if result["key"] else "no key"
    labels = ", ".join(s["label"] for s in result["sections"]) or "no sections"
    return (
        f"{tempo}, {key}, {result['lufs']:.1f} LUFS, peak {result['peak_dbtp']:+.1f} dBTP, "
        f"energy {result['energy']:.2f}; {labels}"
    )
