"""`sfa library search`, `similar`, `compatible`: hits with their reasons; and `tags`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from sfa_engine.cli.connect import backstage, connect
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json, print_rows
from sfa_engine.errors import EngineError, Refused
from sfa_engine.wire.blocking import SocketClient

NO_THIS = '"this" names no track'  # how backstage refuses it
PAGE = 500  # tracks in one answer
# `-word` excludes a word from a search; click would read short options.
WORDS = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
_limit_option = click.option("--limit", default=50, show_default=True)
_few_option = click.option("--limit", default=20, show_default=True)


@click.command(context_settings=WORDS)
@click.argument("words", nargs=-1)
@_limit_option
@_json_option
@click.pass_context
def search(context: click.Context, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    r"""List tracks, by words of their names, by operators, or by what they should be like.

    \b
    sfa library search bpm:120-128 key:~8A energy:>0.6 wren -live
    sfa library search "dark rolling techno around 126 that goes with 12"
    sfa library search "goes with this"     (the track that plays)
    sfa library search "ruhiger House ohne Gesang zwischen 118 und 122"
    """
    if words == ("-h",):
        click.echo(context.get_help())
        return
    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word, ctx=context)
    text = " ".join(words)
    if not text.strip():
        _show("library.search", limit, as_json=as_json, words=text)
        return
    try:
        _show("library.search_words", limit, as_json=as_json, words=text)
    except Refused as error:
        this = _on_deck() if error.message.startswith(NO_THIS) else None
        if this is None:
            raise
        _show("library.search_words", limit, as_json=as_json, words=text, this=this)


@click.command()
@click.argument("track")
@_few_option
@_json_option
def similar(track: str, limit: int, as_json: bool) -> None:
    """List the tracks that sound most like one, by words or by number as `12`."""
    _show("library.similar", limit, as_json=as_json, track=track)


@click.command()
@click.argument("track")
@_few_option
@_json_option
def compatible(track: str, limit: int, as_json: bool) -> None:
    """List the tracks that one can be mixed with: tempo, key, energy and sound fit."""
    _show("library.compatible", limit, as_json=as_json, track=track)


@click.command()
@_json_option
def tags(as_json: bool) -> None:
    """List the tags that tracks have by their sound, with their counts: words for `search`."""
    with backstage() as client:
        said = client.call("library.tags")
    if as_json:
        print_json(said)
        return
    if said["tags"]:
        print_rows([(each["name"], str(each["count"])) for each in said["tags"]])
    click.echo(f"{said['tagged']} of {counted(said['tracks'], 'track')} with tags", err=True)


def _show(method: str, limit: int, *, as_json: bool, **params: Any) -> None:
    """Print the hits of a verb, up to a limit, page after page."""
    with backstage() as client:
        said = _pages(client, method, limit, params)
    if as_json:
        print_json(said)
        return
    from sfa_engine.cli import screen

    tracks = said["tracks"]
    if said.get("understood"):
        screen.console.print(screen.dim(f"looking for: {said['understood']}"))
    if tracks:
        has_reasons = any(track.get("reasons") for track in tracks)
        screen.console.print(
            screen.hit_table(tracks) if has_reasons else screen.track_table(tracks)
        )
    for line in _notes(said):
        click.echo(line)
    more = f", {len(tracks)} shown" if len(tracks) < said["count"] else ""
    click.echo(counted(said["count"], "track") + more)


def _on_deck() -> int | None:
    """Return the number of the track that is heard most, else that of the focused deck; or None."""
    try:
        with connect() as client:
            decks = client.call("status")["decks"]
            focus = client.call("get", path="session.focus")["value"]
    except EngineError:  # no engine runs
        return None
    playing = [deck for deck in decks if deck["loaded"] and deck["playing"]]
    chosen = max(playing, key=lambda deck: deck["level_db"], default=None)
    if chosen is None:
        chosen = decks[int(focus.removeprefix("deck")) - 1]
    if not chosen["loaded"] or not chosen.get("path"):
        return None
    try:
        with backstage() as client:
            return int(client.call("library.hotcues", bundle=chosen["path"])["track"])
    except Refused:  # a bundle from elsewhere
        return None


def _pages(client: SocketClient, method: str, limit: int, params: dict[str, Any]) -> dict[str, Any]:
    """Call a verb for page after page, up to the whole list or a limit."""
    said: dict[str, Any] = client.call(method, **params, limit=min(limit, PAGE))
    tracks = said["tracks"]
    while len(tracks) < min(said["count"], limit):
        left = min(limit - len(tracks), PAGE)
        more = client.call(method, **params, limit=left, offset=len(tracks))["tracks"]
        if not more:  # the rest was removed meanwhile
            break
        tracks += more
    return said


def _notes(said: dict[str, Any]) -> Iterator[str]:
    for note in said.get("notes", ()):
        yield one_line(f"note: {note}")
