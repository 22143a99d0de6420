"""`sfa replay`: a set that was played, rendered again from its journal."""

from __future__ import annotations

from pathlib import Path

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json


@click.command()
@click.argument("journal")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--stems", is_flag=True, help="Every deck and stem as well, each in its file.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def replay(journal: str, output: Path, stems: bool, quiet: bool, as_json: bool) -> None:
    """Render a set again, from its JOURNAL: a file, a name of `sfa journal list`, or `last`."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.journal import read_journal
    from sfa_engine.errors import MediaError
    from sfa_engine.host.replay import Replay
    from sfa_engine.script.replay_files import write_replay

    path, parsed = read_journal(journal)
    screen.build_kernel(quiet=quiet)
    try:
        replayed = Replay(parsed, stems=stems)
    except MediaError as error:
        raise MediaError(f"{path} {error.message}", error.hint) from None
    with screen.progress_bar("rendering", quiet=quiet) as bar:
        peaks = write_replay(replayed, output, bar)
    if as_json:
        print_json(
            {
                "files": peaks,
                "frames": replayed.frames,
                "rate": replayed.rate,
                "first_frame": replayed.first,
                "warnings": replayed.warnings,
            }
        )
        return
    for warning in replayed.warnings:
        click.echo(f"sfa: {warning}", err=True)
    for file in peaks:
        click.echo(f"{file}: {replayed.frames / replayed.rate:.1f} s")
