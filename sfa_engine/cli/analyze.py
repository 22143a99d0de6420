"""`sfa analyze`: tempo, beats, key, loudness, sections and cues of sound files.

Each file is analysed by a worker program in a process of its own: what crashes there, or eats
memory, is that file's misfortune only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.terminal import complain, one_line, print_json_line
from sfa_engine.errors import SfaError

WORKER = "sfa_engine.prep.analyse"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One object a file, a line each.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def analyze(files: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Analyse sound files: tempo, beats, key, loudness, sections and cues."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.errand import ask

    failed = 0
    for file in files:
        try:
            with screen.progress_bar(file.name, quiet=quiet or not sys.stderr.isatty()) as bar:
                told = ask(WORKER, {"path": str(file)}, bar)
                bar(1.0)
        except SfaError as error:
            failed += 1
            complain(error)
            continue
        if as_json:
            named = {"file": str(file), **told} if len(files) > 1 else told
            print_json_line(named)
        else:
            click.echo(one_line(f"{file}: {in_words(told)}"))
    if failed:
        raise click.exceptions.Exit(1)


def in_words(told: dict[str, Any]) -> str:
    """Return a result as a line for a person."""
    if told["bpm"] is None:
        tempo = "no beat"
    else:
        tempo = f"{told['bpm']:g} BPM" + (" (varies)" if told["variable"] else "")
        if told["confidence"] < 0.5:
            tempo += ", check the grid"
    key = f"{told['key']} ({told['camelot']})" if told["key"] else "no key"
    labels = ", ".join(s["label"] for s in told["sections"]) or "no sections"
    return (
        f"{tempo}, {key}, {told['lufs']:.1f} LUFS, peak {told['peak_dbtp']:+.1f} dBTP, "
        f"energy {told['energy']:.2f}; {labels}"
    )
