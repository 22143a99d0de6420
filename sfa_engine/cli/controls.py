"""`sfa get`, `set`, `press`, `watch` and `describe`: the desk's controls from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfa_engine.cli.terminal import print_json, print_json_line
from sfa_engine.cli.tracks import connect
from sfa_engine.errors import Refused

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., Any])


def _completed(what: str) -> Callable[..., list[CompletionItem[str]]]:
    """Return a function of `completion`, which is imported only when a shell asks."""

    def complete(*asked: Any) -> list[CompletionItem[str]]:
        from sfa_engine.cli import completion

        found: list[CompletionItem[str]] = getattr(completion, what)(*asked)
        return found

    return complete


def _moment(_: click.Context, __: click.Parameter, words: str | None) -> str | int | None:
    """Return a moment as the protocol has it: a word, or an engine frame as a number."""
    return int(words) if words is not None and words.isdecimal() else words


def _when_option(command: Command) -> Command:
    return click.option(
        "--at", "when", callback=_moment, shell_complete=_completed("moments"),
        help="beat, bar or phrase, of the session or `bar deck1`; or an engine frame.",
    )(command)  # fmt: skip


@click.command()
@click.argument("path", nargs=-1, required=True, shell_complete=_completed("controls"))
@click.option("--json", "as_json", is_flag=True, help="For programs; a list if several are named.")
def get(path: tuple[str, ...], as_json: bool) -> None:
    """Show controls' values, and readings: `sfa get deck1.tempo`, `sfa get 'deck1.eq.*'`."""
    single = len(path) == 1 and not _is_pattern(path[0])
    with connect() as client:
        paths = path if single else [each for word in path for each in _readable(word)]
        found = [client.call("get", path=each) for each in dict.fromkeys(paths)]
    if as_json:
        print_json(found[0] if single else found)
        return
    width = 0 if single else max(len(said["path"]) for said in found)
    for said in found:
        click.echo(said["text"] if single else f"{said['path']:{width}}  {said['text']}")


def _is_pattern(word: str) -> bool:
    return any(character in "*?[" for character in word)


def _readable(word: str) -> list[str]:
    """Return the controls with a value that a pattern fits; a plain name is taken as it is."""
    import fnmatch

    from sfa_engine.desk import CONTROLS, Button

    if not _is_pattern(word):
        return [word]
    found = [
        path
        for path, control in CONTROLS.items()
        if fnmatch.fnmatchcase(path, word)
        and not control.planned
        and not isinstance(control, Button)
    ]
    if not found:
        raise Refused(f'no value or reading fits "{word}"', "see `sfa describe` for all controls")
    return found


@click.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_completed("controls"))
@click.argument("value", shell_complete=_completed("values"))
@_when_option
def set_(path: str, value: str, when: str | int | None) -> None:
    """Set a control: `sfa set deck1.stem.vocals.volume -6`."""
    with connect() as client:
        said = client.call("set", path=path, value=value, when=when)
    click.echo(said["text"])


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_completed("controls"))
@click.argument("value", required=False)
@_when_option
def press(path: str, value: str | None, when: str | int | None) -> None:
    """Press a button: `sfa press deck1.hotcue1.press`."""
    with connect() as client:
        place = path.removesuffix("press") + "position"
        is_hot_cue = when is None and ".hotcue" in path and path.endswith(".press")
        before = client.call("get", path=place) if is_hot_cue else None
        client.call("press", path=path, value=value, when=when)
        if before is not None:
            click.echo(_hot_cue_said(before, client.call("get", path=place)))


def _hot_cue_said(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Say what the press of a hot cue did: one that is not set stores, one that is set jumps."""
    from sfa_engine.clock import clock

    if before["value"] is not None:
        return f"jumped to {clock(before['value'])}"
    return "nothing stored" if after["value"] is None else f"stored at {clock(after['value'])}"


@click.command()
@click.argument("paths", nargs=-1, required=True, shell_complete=_completed("controls"))
@click.option("--rate", default=10.0, show_default=True, help="Times a second, at most.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def watch(paths: tuple[str, ...], rate: float, as_json: bool) -> None:
    """Show what changes: `sfa watch 'deck1.*'`."""
    from sfa_engine.desk import find

    def show(values: dict[str, float | None]) -> None:
        if as_json:
            print_json_line(values)
            return
        for path, value in values.items():
            control = find(path)
            shown = control.scale.rest if value is None else value
            click.echo(f"{path}  {control.text(shown)}")

    with connect() as client:
        show(client.call("watch", paths=list(paths), rate_hz=rate)["values"])
        for _, said in client.notices():
            show(said["values"])


@click.command()
@click.argument("pattern", default="*")
@click.option("--planned", is_flag=True, help="Only what is declared and not built yet.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def describe(pattern: str, planned: bool, as_json: bool) -> None:
    """List the controls: `sfa describe 'deck1.eq.*'`."""
    import fnmatch

    from sfa_engine.desk import CONTROLS
    from sfa_engine.desk.desk import nearest

    found = [c for p, c in CONTROLS.items() if fnmatch.fnmatchcase(p, pattern)]
    found = [c for c in found if c.planned or not planned]
    if not found:
        hint = "" if _is_pattern(pattern) else nearest(pattern)
        raise Refused(f'no control fits "{pattern}"', hint or "see `sfa describe` for all")
    if as_json:
        print_json([control.told() for control in found])
        return
    ranges = [control.range_text() for control in found]
    width, room = max(len(c.path) for c in found), max(map(len, ranges))
    for c, said in zip(found, ranges, strict=True):
        note = " (planned)" if c.planned and not planned else ""
        click.echo(f"{c.path:{width}}  {c.kind:6}  {said:{room}}  {c.sentence}{note}")
