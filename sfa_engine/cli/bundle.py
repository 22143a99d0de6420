"""`sfa bundle`: a bundle of a sound file or of stems, without the library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfa_engine.errors import MediaError, Refused
from sfa_engine.run.folders import PRIVATE_UMASK, closed_folder

if TYPE_CHECKING:
    from sfa_engine.run.config import Config


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--bpm", type=float, help="Tempo; without it the track has no beats.")
@click.option("--first-beat", type=float, default=0.0, help="Seconds to a downbeat.")
@click.option("--beats-per-bar", type=int, default=4, show_default=True)
@click.option("--key", help="As in `A minor`, `Am` or `8A`.")
@click.option("--title", default="", help="The tag's, or the file's name, if left out.")
@click.option("--artist", default="")
@click.option("--gain", "gain_db", type=float, default=0.0, help="dB, to match other tracks.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to make, NAME.sfa.")
@click.option("--replace", is_flag=True, help="Replace an existing bundle.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def bundle(
    source: Path,
    bpm: float | None,
    first_beat: float,
    beats_per_bar: int,
    key: str | None,
    title: str,
    artist: str,
    gain_db: float,
    output: Path | None,
    replace: bool,
    quiet: bool,
) -> None:
    """Make a bundle of a sound file, or of a folder of stems."""
    from sfa_engine.cli.screen import progress_bar
    from sfa_engine.library.bundle import notes
    from sfa_engine.library.sources import stem_sources
    from sfa_engine.prep.bundle_writer import write_bundle
    from sfa_engine.run.config import load_config
    from sfa_engine.track.media import read_bundle

    config = load_config()
    library = config.library
    sources = stem_sources(source)
    if output is None:
        name = source.resolve().stem if source.is_file() else source.resolve().name
        output = _in_library(config, f"{name}.sfa")
    check_free(config, output, replace=replace)
    with progress_bar(f"decoding {', '.join(sources)}", quiet=quiet) as bar:
        write_bundle(
            output,
            sources,
            title=title,
            artist=artist,
            bpm=bpm,
            first_beat_s=first_beat,
            beats_per_bar=beats_per_bar,
            key=key,
            gain_db=gain_db,
            pcm=library.pcm,
            rate=library.rate,
            longest_s=60.0 * library.max_minutes,
            progress=bar,
        )
    track = read_bundle(output).track
    for note in notes(track):
        click.echo(note, err=True)
    click.echo(f"{output}: {track.frames / track.rate:.1f} s, {', '.join(sources)}")


def _in_library(config: Config, name: str) -> Path:
    """Return the path of a bundle in the library's folder, which is made if missing."""
    from sfa_engine.run import config as configuration

    os.umask(PRIVATE_UMASK)
    folder = configuration.library_path(config)
    try:
        closed_folder(configuration.data_path())
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(
            f"{folder} cannot be made: {error.strerror}", "name another place with -o"
        ) from None
    return folder / name


def check_free(config: Config, output: Path, *, replace: bool) -> None:
    """Refuse to overwrite a track's bundle, or any other without ``replace``."""
    from sfa_engine.library.bundle import check_name
    from sfa_engine.library.owner import owner_of
    from sfa_engine.library.places import Places
    from sfa_engine.run import config as configuration

    check_name(output)
    places = Places(configuration.data_path(), configuration.library_path(config))
    owner = owner_of(places, output)
    if owner is not None:
        raise Refused(
            f"{output} belongs to track #{owner} of the library", "name another place with -o"
        )
    if output.exists() and not replace:
        raise Refused(f"{output} exists", "add --replace, or name another place with -o")
