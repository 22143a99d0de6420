"""`sfa mix start` and what follows: a plan performed by the running engine."""

from __future__ import annotations

import time
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json

PERIOD_S = 0.5


@click.command()
@click.argument("name")
@click.option("--from", "place", type=click.IntRange(min=1), default=1, show_default=True,
              help="Track to begin with.")  # fmt: skip
@json_option
def start(name: str, place: int, as_json: bool) -> None:
    """Perform a plan; if a deck plays already, the mix goes on from its track."""
    _do("mix.start", as_json=as_json, name=name, place=place)


@click.command()
@json_option
def stop(as_json: bool) -> None:
    """End the mix; the decks play on as they are."""
    _do("mix.stop", as_json=as_json)


@click.command()
@json_option
def skip(as_json: bool) -> None:
    """Begin the next transition at the next phrase."""
    _do("mix.skip", as_json=as_json)


@click.command("next")
@click.argument("track", nargs=-1, required=True)
@json_option
def next_(track: tuple[str, ...], as_json: bool) -> None:
    """Play a track next, by words or by number; the rest is planned anew."""
    _do("mix.next", as_json=as_json, track=" ".join(track))


@click.command()
@click.argument("deck", type=click.IntRange(1, 2), required=False)
@json_option
def release(deck: int | None, as_json: bool) -> None:
    """Give the controls that hands have taken over back to the mix, those of a deck or all."""
    _do("mix.release", as_json=as_json, deck=deck)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Until Ctrl-C, or the end of the mix.")
@json_option
def status(follow: bool, as_json: bool) -> None:
    """Say what plays, what comes next and when, and what hands have taken over."""
    if not follow:
        _do("mix.status", as_json=as_json)
        return
    last: list[str] = []
    with backstage() as client:
        while True:
            said = client.call("mix.status")
            now = [said] if as_json else lines(said)
            if now != last:
                if as_json:
                    print_json(said)
                else:
                    click.echo("\n".join(lines(said)))
                last = now
            if not said["running"]:
                return
            time.sleep(PERIOD_S)


def _do(method: str, *, as_json: bool, **params: Any) -> None:
    with backstage() as client:
        said = client.call(method, **params)
    if as_json:
        print_json(said)
        return
    for line in lines(said):
        click.echo(line)


def lines(said: dict[str, Any]) -> list[str]:
    """Return the state of the mix that is performed as lines for people."""
    note = said.get("note") or ""
    if not said["running"]:
        return [one_line(f"no mix runs: {note}" if note else "no mix runs")]
    made = [f"{said['name']}: track {max(1, said['place'])} of {said['tracks']}"]
    if now := said["now"]:
        made.append(f"deck {now['deck']}  {now['name']}")
    if then := said["next"]:
        coming = _coming(said, then)
        made.append(f"deck {then['deck']}  {then['name']}{coming and f': {coming}'}")
    if note:
        made.append(f"note: {note}")
    if said["taken"]:
        made.append(f"in your hands: {', '.join(said['taken'])} (give back: `sfa mix release`)")
    made += [f"left out: {each}" for each in said["dropped"]]
    return [one_line(line) for line in made]


def _coming(said: dict[str, Any], then: dict[str, Any]) -> str:
    transition = said["transition"] or {}
    kind = transition.get("kind", "")
    what = f"{kind} of {transition['bars']} bars" if kind == "blend" else kind
    if what and said["transition_in_s"] is not None:
        what += f" in {said['transition_in_s']:.0f} s"
    return ", ".join(each for each in (what, "" if then["loaded"] else "to be loaded") if each)


COMMANDS = (start, stop, skip, next_, release, status)
