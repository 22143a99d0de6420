"""The commands that are about tracks: `sfa load`, `eject` and `bundle`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.folders import PRIVATE_UMASK, closed_folder, runtime_path
from sfa_engine.cli.place import PLACE
from sfa_engine.cli.terminal import one_line
from sfa_engine.errors import EngineError, MediaError, Refused

if TYPE_CHECKING:
    from sfa_engine.cli.config import Config
    from sfa_engine.surfaces.socket.client import SocketClient

SUFFIX = ".sfa"  # as in `library.bundle`, which takes half a second to import
BACK_S = 10.0  # in which a stage that was killed answers again
BACK_STEP_S = 0.05
PREPARE_STEP_S = 0.2


def connect() -> Any:
    """Return a connection to the running engine; wait a little for a part that is due again."""
    from sfa_engine.surfaces.socket.client import SocketClient
    from sfa_engine.wire import ENGINE

    runtime = runtime_path()
    give_up = time.monotonic() + BACK_S
    while True:
        try:
            return SocketClient(runtime / ENGINE)
        except EngineError:
            from sfa_engine.audio.lock import lock_holder
            from sfa_engine.cli.supervise import LOCK

            if not lock_holder(runtime / LOCK):
                raise
        if time.monotonic() > give_up:
            raise EngineError(
                "the engine is being started and does not answer yet",
                "wait a moment, or see `sfa log`",
            )
        time.sleep(BACK_STEP_S)


def backstage(timeout_s: float = 60.0) -> Any:
    """Return a connection to backstage, in a ``with``; it is started if it does not run."""
    from sfa_engine.cli.backstage import backstage as connected

    return connected(timeout_s)


@click.command()
@click.argument("deck", type=click.IntRange(1, 2))
@click.argument("track")
@click.option("--position", type=PLACE, default=0.0, help="To stand at, as 1:01.5 or 61.5.")
@click.option("--force", is_flag=True, help="Although the deck plays and its load lock is on.")
def load(deck: int, track: str, position: float, force: bool) -> None:
    """Put a track on a deck: words that the library finds it by, a file, or a bundle's folder.

    A track that is not prepared yet is prepared first, and loaded when it can be played.
    """
    path = _path_of(track)
    with connect() as client:

        def ask(**what: str) -> Any:
            return client.call("deck.load", deck=deck, position_s=position, force=force, **what)

        here = Path(track).expanduser()
        try:
            said = ask(track=track) if path is None else ask(path=str(path))
        except Refused:
            # Words may be a file's name after all; a bundle among ours may want preparation.
            known = _is_known(client, track)
            if path is None and here.exists() and not known:
                said = ask(path=str(here.resolve()))
            elif path is not None and path != here.resolve() and known:
                said = ask(track=track)
            else:
                raise
        if "preparing" in said:
            said = _wait_prepared(client, deck, said)
    name = f"{said['artist']} - {said['title']}" if said["artist"] else said["title"]
    bpm = f", {said['bpm']:g} BPM" if said["bpm"] else ""
    click.echo(one_line(f"deck {deck}: {name}{bpm}, {', '.join(said['stems'])}"))


def _path_of(word: str) -> Path | None:
    """Return the path that a word looks like, or the bundle among ours that it names.

    A file or folder in this place whose name looks like words is not meant: the library comes
    first.
    """
    here = Path(word).expanduser()
    if here.exists() and ("/" in word or here.suffix == SUFFIX or _is_sound(here)):
        return here.resolve()
    from sfa_engine.cli import config as configuration

    config = configuration.load_config()
    among = configuration.library_path(config) / f"{word.removesuffix(SUFFIX)}{SUFFIX}"
    if among.is_dir():
        return among
    # Meant as a path, unlike "AC/DC".
    if word.startswith(("/", "./", "../", "~")) or here.suffix == SUFFIX:
        raise Refused(f'there is no bundle "{word}"', "see `sfa library search` for what there is")
    return None


def _is_sound(file: Path) -> bool:
    from sfa_engine.library.sources import SOUND_FILES

    return file.suffix.lower() in SOUND_FILES


def _is_known(client: SocketClient, words: str) -> bool:
    """Return whether the library has anything of this name."""
    try:
        return bool(client.call("library.search", words=words, limit=1)["count"])
    except Refused:
        return False


def _wait_prepared(client: SocketClient, deck: int, said: dict[str, Any]) -> dict[str, Any]:
    """Show how a track is prepared until it is on its deck; return what the deck says of it."""
    from sfa_engine.cli import screen

    number, name = said["preparing"], said["name"]
    click.echo(f"preparing: job {number}; deck {deck} loads {name} when it is ready", err=True)
    with screen.progress_bar(f"preparing {name}") as bar:
        while True:
            (job,) = client.call("jobs.list", before=number + 1, limit=1)["jobs"]
            if job["state"] not in {"waiting", "running"}:
                break
            bar(job["progress"])
            time.sleep(PREPARE_STEP_S)
    if job["state"] in {"failed", "cancelled"}:
        error = job["error"] or {"message": f"job {number} was {job['state']}", "hint": ""}
        raise MediaError(f"{name}: {error['message']}", error["hint"])
    if said["track"] is not None and job["track"] != said["track"]:
        raise MediaError(
            f"{name}: another track is at its place now", f"load #{job['track']} for that one"
        )
    found = client.call("library.find", words=f"#{job['track']}")
    give_up = time.monotonic() + BACK_S
    while time.monotonic() < give_up:
        on_it: dict[str, Any] = client.call("status")["decks"][deck - 1]
        if on_it.get("path") == found["bundle"]:
            return on_it
        time.sleep(BACK_STEP_S)
    raise EngineError(
        f"deck {deck} did not load {name}", f"load it with `sfa load {deck} #{job['track']}`"
    )


def _among_ours(config: Config, name: str) -> Path:
    """Return where a bundle of a name is among ours, in a folder that is there."""
    from sfa_engine.cli import config as configuration

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
    """Refuse to write over a track's bundle, or unasked over any other."""
    from sfa_engine.cli import config as configuration
    from sfa_engine.library.bundle import check_name
    from sfa_engine.library.owner import owner_of
    from sfa_engine.library.places import Places

    check_name(output)
    places = Places(configuration.data_path(), configuration.library_path(config))
    owner = owner_of(places, output)
    if owner is not None:
        raise Refused(
            f"{output} belongs to track #{owner} of the library", "name another place with -o"
        )
    if output.exists() and not replace:
        raise Refused(f"{output} is there already", "add --replace, or name another place with -o")


@click.command()
@click.argument("deck", type=click.IntRange(1, 2))
def eject(deck: int) -> None:
    """Take a deck's track away."""
    with connect() as client:
        client.call("deck.eject", deck=deck)


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
@click.option("--replace", is_flag=True, help="Also where there is a bundle already.")
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
    from sfa_engine.audio.media import read_bundle
    from sfa_engine.cli.config import load_config
    from sfa_engine.cli.screen import progress_bar
    from sfa_engine.library.bundle import notes
    from sfa_engine.library.sources import stem_sources
    from sfa_engine.prep.ingest import write_bundle

    config = load_config()
    library = config.library
    sources = stem_sources(source)
    if output is None:
        name = source.resolve().stem if source.is_file() else source.resolve().name
        output = _among_ours(config, f"{name}.sfa")
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
