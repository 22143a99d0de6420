"""`sfa demo`."""

from __future__ import annotations

from pathlib import Path

import click

from sfa_engine.cli.options import device_option


@click.command()
@click.argument("tracks", nargs=-1, type=click.Path(path_type=Path))
@device_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Render into a file, with a picture beside it; demo.wav (long-demo.wav) where there is no "
    "sound device.",
)
@click.option(
    "--long",
    "long",
    is_flag=True,
    help="A set of ten minutes on three tracks of ours, with all that two decks can do.",
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
def demo(
    tracks: tuple[Path, ...], device: str | None, output: Path | None, long: bool, quiet: bool
) -> None:
    """Mix two tracks for a minute: yours (files, stem folders, bundles), or two of ours.

    Without a sound device the mix is rendered into a file, with a picture of it.
    """
    from sfa_engine.cli.demo_mix import run_demo, run_long_demo

    if long:
        run_long_demo(tracks, device, output, quiet=quiet)
    else:
        run_demo(tracks, device, output, quiet=quiet)
