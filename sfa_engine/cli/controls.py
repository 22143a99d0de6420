"""`sfa get`, `set`, `press`, `watch` and `describe`: the desk's controls from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.terminal import print_json, print_json_line
from sfa_engine.errors import Refused

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., Any])
MAX_RANGE_CELLS = 40  # in the list of controls; a few have 20 options


def _completer(what: str) -> Callable[..., list[CompletionItem[str]]]:
    """Return a function of `completion`, which is imported when it is called."""

    def complete(*asked: Any) -> list[CompletionItem[str]]:
        from sfa_engine.cli import completion

        found: list[CompletionItem[str]] = getattr(completion, what)(*asked)
        return found

    return complete


def _moment(_: click.Context, __: click.Parameter, words: str | None) -> str | int | None:
    """Return a moment as the protocol has it: a word, or an engine frame as a number."""
    return int(words) if words is not None and words.isdecimal() else words


def moment_text(when: str | int | None) -> str:
    """Return when what was set will be done; nothing where that is now."""
    if when is None or when == "now":
        return ""
    return (
        f" at frame {when}"
        if isinstance(when, int)
        else f" at the next {when.replace(' ', ' of ')}"
    )


def when_option(command: Command) -> Command:
    """Add `--at`, the moment at which a command is done."""
    return click.option(
        "--at", "when", callback=_moment, shell_complete=_completer("moments"),
        help="beat, bar or phrase, of the session or `bar deck1`; or an engine frame.",
    )(command)  # fmt: skip


@click.command()
@click.argument("path", nargs=-1, required=True, shell_complete=_completer("controls"))
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
    """Return the controls with a value that match a pattern; a plain name is returned as it is."""
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
        raise Refused(
            f'no value or reading matches "{word}"', "see `sfa describe` for all controls"
        )
    return found


@click.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_completer("controls"))
@click.argument("value", shell_complete=_completer("values"))
@when_option
def set_(path: str, value: str, when: str | int | None) -> None:
    """Set a control: `sfa set deck1.stem.vocals.volume -6`."""
    with connect() as client:
        said = client.call("set", path=path, value=value, when=when, keep=True)
    click.echo(said["text"] + moment_text(when))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_completer("controls"))
@click.argument("value", required=False)
@when_option
def press(path: str, value: str | None, when: str | int | None) -> None:
    """Press a button: `sfa press deck1.hotcue1.press`."""
    with connect() as client:
        owner, _, button = path.rpartition(".")
        place = f"{owner}.position"
        moment = moment_text(when)
        is_hot_cue = not moment and ".hotcue" in owner and button in {"press", "store"}
        before = client.call("get", path=place) if is_hot_cue else None
        client.call("press", path=path, value=value, when=when, keep=True)
        if before is not None:
            before |= {"value": None} if button == "store" else {}
            click.echo(_hot_cue_result(before, client.call("get", path=place)))
        elif moment:
            click.echo(moment.strip())


def _hot_cue_result(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return what the press of a hot cue did: an unset one stores, a set one jumps."""
    from sfa_engine.system.timecode import clock

    if before["value"] is not None:
        return f"jumped to {clock(before['value'])}"
    return "nothing stored" if after["value"] is None else f"stored at {clock(after['value'])}"


@click.command()
@click.argument("paths", nargs=-1, required=True, shell_complete=_completer("controls"))
@click.option("--rate", default=10.0, show_default=True, help="Times a second, at most.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def watch(paths: tuple[str, ...], rate: float, as_json: bool) -> None:
    """Show values as they change: `sfa watch 'deck1.*'`."""
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
        for _, said in client.notifications():
            show(said["values"])


@click.command()
@click.argument("pattern", default="*")
@click.option("--planned", is_flag=True, help="Only declared controls that are not built yet.")
@click.option("--verbs", is_flag=True, help="The verbs of the socket, with their parameters.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def describe(pattern: str, planned: bool, verbs: bool, as_json: bool) -> None:
    """List the controls: `sfa describe 'deck1.eq.*'`; or the verbs: `sfa describe --verbs`."""
    import fnmatch

    if verbs:
        _describe_verbs(pattern, as_json=as_json)
        return

    from sfa_engine.desk import CONTROLS
    from sfa_engine.desk.desk import nearest

    found = [c for p, c in CONTROLS.items() if fnmatch.fnmatchcase(p, pattern)]
    if planned and found and not any(c.planned for c in found):
        click.echo("every control is built" if pattern == "*" else f'all of "{pattern}" are built')
        return
    found = [c for c in found if c.planned or not planned]
    if not found:
        hint = "" if _is_pattern(pattern) else nearest(pattern)
        raise Refused(f'no control matches "{pattern}"', hint or "see `sfa describe` for all")
    if as_json:
        print_json([control.to_dict() for control in found])
        return
    ranges = [control.range_text() for control in found]
    width = max(len(c.path) for c in found)
    room = min(MAX_RANGE_CELLS, max(map(len, ranges)))
    for c, said in zip(found, ranges, strict=True):
        note = " (planned)" if c.planned and not planned else ""
        click.echo(f"{c.path:{width}}  {c.kind:6}  {said:{room}}  {c.sentence}{note}")


def _describe_verbs(pattern: str, *, as_json: bool) -> None:
    """List every verb, without an engine: they are read from the classes that have them."""
    import fnmatch

    from sfa_engine.cli.verb_classes import STAGE, classes_of_backstage
    from sfa_engine.wire.verbs import verbs_of

    kinds = (*STAGE, *classes_of_backstage())
    every = {name: one for kind in kinds for name, one in verbs_of(kind).items()}
    found = [one for name, one in sorted(every.items()) if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise Refused(f'no verb matches "{pattern}"', "see `sfa describe --verbs` for all")
    if as_json:
        print_json([one.describe() for one in found])
        return
    calls = [f"{one.name}({', '.join(one.params_text())})" for one in found]
    width = min(60, max(map(len, calls)))
    for one, call in zip(found, calls, strict=True):
        click.echo(f"{call:{width}}  {one.declared.scope:7}  {one.sentence}")
