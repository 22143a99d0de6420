"""`sfa load`, `sfa eject` and `sfa cue`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.controls import moment_text, when_option
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json
from sfa_engine.cli.time_param import TIME
from sfa_engine.errors import EngineError, MediaError, Refused
from sfa_engine.system.timecode import clock
from sfa_engine.system.user_path import real_path, user_path

if TYPE_CHECKING:
    from sfa_engine.wire.blocking import SocketClient

SUFFIX = ".sfa"  # as in `library.bundle`, which takes half a second to import
LOAD_TIMEOUT_S = 10.0  # for the stage to load a track that was prepared
LOAD_POLL_S = 0.05
PREPARE_POLL_S = 0.2


@click.command()
@click.argument("deck", type=int)
@click.argument("track")
@click.option("--position", type=TIME, default=0.0, help="Where to start, as 1:01.5 or 61.5.")
@click.option("--force", is_flag=True, help="Although session.lock refuses it.")
def load(deck: int, track: str, position: float, force: bool) -> None:
    """Load a track: words that the library finds it by, a file, or a bundle's folder.

    A track that is not prepared yet is prepared first, and loaded when it can be played.
    """
    path = _path_of(track)
    with connect() as client:

        def ask(**what: str) -> Any:
            return client.call("deck.load", deck=deck, position_s=position, force=force, **what)

        here = user_path(track)
        try:
            said = ask(track=track) if path is None else ask(path=str(path))
        except (Refused, MediaError):
            # Words may be a file's name after all; a bundle of the library may need preparation.
            known = _is_known(client, track)
            if path is None and here.exists() and not known:
                said = ask(path=str(real_path(here)))
            elif path is not None and path != real_path(here) and known:
                said = ask(track=track)
            else:
                raise
        if "preparing" in said:
            said = _wait_prepared(client, deck, said)
    name = f"{said['artist']} - {said['title']}" if said["artist"] else said["title"]
    bpm = f", {said['bpm']:g} BPM" if said["bpm"] else ""
    click.echo(one_line(f"deck {deck}: {name}{bpm}, {', '.join(said['stems'])}"))


@click.command()
@click.argument("deck", type=int)
@click.argument("name", required=False)
@when_option
@json_option
def cue(deck: int, name: str | None, when: str | int | None, as_json: bool) -> None:
    """Jump to a hot cue, a memory cue or a section: `sfa cue 1 drop`, `sfa cue 1 "break 2"`.

    A number is a hot cue's. Without a name, list what there is.
    """
    with connect() as client:
        if name is None:
            places = client.call("deck.cues", deck=deck)["places"]
            if as_json:
                print_json(places)
            for each in [] if as_json else sorted(places, key=lambda each: each["position_s"]):
                number = "" if each["hot_cue"] is None else f" {each['hot_cue']}"
                until = "" if each["end_s"] is None else f" to {clock(each['end_s'])}"
                named = f": {', '.join(each['names'])}" if each["names"] else ""
                place = f"{clock(each['position_s']):>8}{until}"
                click.echo(one_line(f"{place}  {each['what']}{number}{named}"))
            return
        said = client.call("deck.cue", deck=deck, name=name, when=when)
    if as_json:
        print_json(said)
        return
    number = "" if said["hot_cue"] is None else f" {said['hot_cue']}"
    what = f"{said['what']}{number}"
    named = what if said["name"] == said["what"] else f'"{said["name"]}", {what}'
    click.echo(one_line(f"{named} at {clock(said['position_s'])}{moment_text(when)}"))


def _path_of(word: str) -> Path | None:
    """Return the path that a word looks like, or the library's bundle of that name.

    A file in the current folder whose name looks like words is not meant: the library comes first.
    """
    here = user_path(word)
    if here.exists() and ("/" in word or here.suffix == SUFFIX or _is_sound(here)):
        return real_path(here)
    from sfa_engine.run import config as configuration

    config = configuration.load_config()
    among = configuration.library_path(config) / f"{word.removesuffix(SUFFIX)}{SUFFIX}"
    if among.is_dir():
        return among
    # Meant as a path, unlike "AC/DC".
    if word.startswith(("/", "./", "../", "~")) or here.suffix == SUFFIX:
        kind = "bundle" if here.suffix == SUFFIX else "file"
        raise Refused(f'no {kind} "{word}"', "see `sfa library search`")
    return None


def _is_sound(file: Path) -> bool:
    from sfa_engine.system.sound_files import SOUND_FILES

    return file.suffix.lower() in SOUND_FILES


def _is_known(client: SocketClient, words: str) -> bool:
    """Return whether a search of the library finds anything."""
    try:
        return bool(client.call("library.search", words=words, limit=1)["count"])
    except Refused:
        return False


def _wait_prepared(client: SocketClient, deck: int, said: dict[str, Any]) -> dict[str, Any]:
    """Show the preparation of a track until its deck loads it; return the deck's status."""
    from sfa_engine.cli import screen

    number, name = said["preparing"], said["name"]
    click.echo(f"preparing: job {number}; deck {deck} loads {name} when it is ready", err=True)
    with screen.progress_bar(f"preparing {name}") as bar:
        while True:
            (job,) = client.call("jobs.list", before=number + 1, limit=1)["jobs"]
            if job["state"] not in {"waiting", "running"}:
                break
            bar(job["progress"])
            time.sleep(PREPARE_POLL_S)
    if job["state"] in {"failed", "cancelled"}:
        error = job["error"] or {"message": f"job {number} was {job['state']}", "hint": ""}
        raise MediaError(f"{name}: {error['message']}", error["hint"])
    if said["track"] is not None and job["track"] != said["track"]:
        raise MediaError(
            f"{name}: another track has replaced it", f"load #{job['track']} for that one"
        )
    found = client.call("library.find", words=f"#{job['track']}")
    give_up = time.monotonic() + LOAD_TIMEOUT_S
    while time.monotonic() < give_up:
        on_it: dict[str, Any] = client.call("status")["decks"][deck - 1]
        if on_it.get("path") == found["bundle"]:
            return on_it
        time.sleep(LOAD_POLL_S)
    raise EngineError(
        f"deck {deck} did not load {name}", f"load it with `sfa load {deck} #{job['track']}`"
    )


@click.command()
@click.argument("deck", type=int)
@click.option("--force", is_flag=True, help="Although session.lock refuses it.")
def eject(deck: int, force: bool) -> None:
    """Eject a deck's track."""
    with connect() as client:
        client.call("deck.eject", deck=deck, force=force)
