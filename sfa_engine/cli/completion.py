"""What the shell completes: controls and their values, files, tracks, playlists, jobs.

Tracks, playlists and jobs come from a backstage that runs; none is started, and if it
does not answer at once, nothing is completed. Imported only when a shell asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
)

from sfa_engine.cli.terminal import one_line
from sfa_engine.errors import SfaError
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, ENGINE_SOCKET

ANSWER_TIMEOUT_S = 1.0  # longer than that, a Tab key seems broken
MAX_ITEMS = 50
WORDS = "words"  # a type of completion: text that the shell has to quote

Items = list[CompletionItem[str]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for a shell: `eval "$(sfa completion bash)"`."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "sfa", "_SFA_COMPLETE").source())


def controls(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete a control that the command applies to."""
    from sfa_engine.desk import CONTROLS, Button, Meter

    fits: dict[str | None, Callable[[Any], bool]] = {
        "set": lambda c: c.settable,
        "press": lambda c: isinstance(c, Button),
        "get": lambda c: c.settable or isinstance(c, Meter),
        "watch": lambda c: c.settable or isinstance(c, Meter),
        "learn": lambda c: c.kind != "text" and (c.settable or isinstance(c, Button)),
    }
    fit = fits.get(context.info_name, lambda _: True)
    return [
        CompletionItem(path, help=control.sentence)
        for path, control in CONTROLS.items()
        if path.startswith(incomplete) and not control.planned and fit(control)
    ]


def values(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the value of the control before it: its options, or off."""
    from sfa_engine.desk import CONTROLS, Choice, Switch

    control = CONTROLS.get(context.params.get("path") or "")
    if isinstance(control, Choice):
        words = control.options
    elif isinstance(control, Switch):
        words = ("on", "off")
    elif control is not None and control.scale.law == "gain":
        words = ("off",)
    else:
        return []
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def moments(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a moment: the next beat, bar or phrase, of the session or a deck."""
    from sfa_engine.desk import DECK_NAMES

    words = ("beat", "bar", "phrase")
    decks = (f"{word} {deck}" for word in words for deck in DECK_NAMES)
    every = (*words, *decks) if " " in incomplete else words
    return [CompletionItem(w, type=WORDS) for w in every if w.startswith(incomplete)]


def tracks(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the title of a track; artist and title where others have that title too."""
    words = f"{incomplete}*" if incomplete.strip() else ""
    found = [t for t in _ask("library.search", "tracks", words=words) if t["title"]]
    titles = [t["title"] for t in found]
    names = {
        t["title"] if titles.count(t["title"]) == 1 else f"{t['artist']} {t['title']}": t["name"]
        for t in found
    }
    return list(_fitting(names, incomplete))


def tracks_or_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Complete a track, or a file where no track matches."""
    found = tracks(context, parameter, incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def playlists(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a playlist."""
    found = _ask("library.playlists", "playlists")
    return list(_fitting({each["name"]: "" for each in found}, incomplete))


def mixes(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a plan of a mix."""
    names = {each["name"]: f"{each['tracks']} tracks" for each in _ask("mix.list", "mixes")}
    return list(_fitting(names, incomplete))


def jobs(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the number of a job that the command applies to."""
    states = {"cancel": ["waiting", "running"], "retry": ["failed", "cancelled"]}
    found = _ask("jobs.list", "jobs", states=states.get(context.info_name or "", []))
    return [
        CompletionItem(str(job["id"]), help=one_line(f"{job['state']}: {job['title']}"))
        for job in found[:MAX_ITEMS]
        if str(job["id"]).startswith(incomplete)
    ]


def notifications(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the number of a notification that was not read."""
    found = _ask("notifications.list", "notifications", unread=True, limit=MAX_ITEMS)
    return [
        CompletionItem(str(each["id"]), help=one_line(each["sentence"]))
        for each in found
        if str(each["id"]).startswith(incomplete)
    ]


def proposals(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the number of a proposal that the command applies to."""
    states = {"apply": ["open"], "drop": ["open"], "undo": ["applied"]}.get(context.info_name or "")
    found = _ask(
        "proposals.list",
        "proposals",
        states=states or [],
        everything=not states,
        limit=MAX_ITEMS,
    )
    return [
        CompletionItem(str(each["id"]), help=one_line(each["title"]))
        for each in found
        if str(each["id"]).startswith(incomplete)
    ]


def webhooks(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the number of a webhook."""
    names = {str(each["id"]): each["url"] for each in _ask("webhooks.list", "webhooks")}
    return list(_fitting(names, incomplete))


def failed_deliveries(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the number of a delivery that failed."""
    found = _ask("webhooks.deliveries", "deliveries", state="failed")
    return list(_fitting({str(each["id"]): each["event"] for each in found}, incomplete))


def cues(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a cue or a section of the track on a deck."""
    found = _ask("deck.cues", "places", ENGINE_SOCKET, deck=context.params.get("deck"))
    names = {name: each["what"] for each in reversed(found) for name in reversed(each["names"])}
    return list(_fitting(dict(reversed(names.items())), incomplete))


def services(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a service of `sfa secret`."""
    from sfa_engine.cli.secret import SERVICES

    return [CompletionItem(word) for word in SERVICES if word.startswith(incomplete)]


def master_presets(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a preset of `sfa master`."""
    from sfa_engine.mix.mastering.chain import PRESETS

    return [CompletionItem(word) for word in PRESETS if word.startswith(incomplete)]


def tasks(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the name of an agent."""
    names = {each["name"]: each["sentence"] for each in _ask("agents.list", "agents")}
    return list(_fitting(names, incomplete))


def providers(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a provider of language models."""
    names = {each["name"]: each["adapter"] for each in _ask("llm.providers", "providers")}
    return list(_fitting(names, incomplete))


def codecs(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a codec of `sfa master`."""
    from sfa_engine.mix.mastering.codecs import CODECS, NONE

    return [CompletionItem(word) for word in (*CODECS, NONE) if word.startswith(incomplete)]


def controllers(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a MIDI controller that is plugged in."""
    found = _ask("midi.ports", "ports", ENGINE_SOCKET)
    return list(_fitting({each["name"]: each["title"] for each in found}, incomplete))


def read_formats(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a format that a library is imported from."""
    return _formats(incomplete, "reads")


def written_formats(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a format that tracks are exported to."""
    return _formats(incomplete, "writes")


def _formats(incomplete: str, ability: str) -> Items:
    from sfa_engine.interchange.registry import FORMATS

    return [
        CompletionItem(each.name, help=each.title)
        for each in FORMATS.values()
        if getattr(each, ability) and each.name.startswith(incomplete)
    ]


def _fitting(names: dict[str, str], incomplete: str) -> Iterator[CompletionItem[str]]:
    """Yield the names with this beginning, in any case, that a command line can contain."""
    for name, about in list(names.items())[:MAX_ITEMS]:
        if name.casefold().startswith(incomplete.casefold()) and one_line(name) == name:
            yield CompletionItem(name, type=WORDS, help=one_line(about) or None)


def _ask(
    method: str, kind: str, socket: str = BACKSTAGE_SOCKET, /, **params: Any
) -> list[dict[str, Any]]:
    """Return a list from backstage, or from the stage; empty if it does not answer in time."""
    from sfa_engine.run.folders import runtime_path
    from sfa_engine.wire.blocking import SocketClient

    try:
        with SocketClient(runtime_path() / socket, ANSWER_TIMEOUT_S) as client:
            found: list[dict[str, Any]] = client.call(method, **params)[kind]
    except SfaError:
        return []
    return found


# The arguments of commands that are declared elsewhere, by command and argument.
_ARGUMENTS = {
    ("load", "track"): tracks_or_files,
    ("master", "track"): tracks_or_files,
    ("master", "reference"): tracks_or_files,
    ("master", "preset"): master_presets,
    ("master", "codec"): codecs,
    ("show", "track"): tracks,
    ("grid", "track"): tracks,
    ("similar", "track"): tracks,
    ("compatible", "track"): tracks,
    ("ask", "track"): tracks,
    ("ask", "task"): tasks,
    ("ask", "provider"): providers,
    ("separate", "track"): tracks,
    ("cue", "track"): tracks,
    ("cue", "name"): cues,
    ("edit", "track"): tracks,
    ("remove", "track"): tracks,
    ("add", "track"): tracks,
    ("show", "name"): playlists,
    ("add", "name"): playlists,
    ("drop", "name"): playlists,
    ("set", "name"): services,
    ("remove", "name"): services,
    ("import", "read_format"): read_formats,
    ("export", "written_format"): written_formats,
    ("export", "playlist"): playlists,
    ("prepare", "playlist"): playlists,
    ("show", "job"): jobs,
    ("retry", "job"): jobs,
    ("cancel", "job"): jobs,
    ("read", "notification"): notifications,
    **{
        (name, "webhook"): webhooks
        for name in ("show", "set", "remove", "rotate", "test", "deliveries")
    },
    ("send-again", "delivery"): failed_deliveries,
}


# Those whose commands have the name of another group's: by group, command and argument.
_OF_GROUP = {
    **{
        ("mix", command, "name"): mixes
        for command in ("show", "edit", "replan", "remove", "rename", "script", "audition", "start")
    },
    **{
        ("proposals", command, "proposal"): proposals
        for command in ("show", "apply", "drop", "undo")
    },
    ("mix", "plan", "track"): tracks,
    ("mix", "next", "track"): tracks,
}


class _Completed(click.ParamType[Any]):
    """A type with completion; conversion is left to the type that it wraps."""

    def __init__(self, kind: click.ParamType[Any], complete: Callable[..., Items]) -> None:
        self.name = kind.name
        self._kind = kind
        self._complete = complete

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._kind.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        return self._complete(ctx, param, incomplete)


def attach(command: click.Command, group: str = "") -> None:
    """Have a command's arguments, and those of the commands below it, completed."""
    name = command.name or ""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            attach(below, name)
    for parameter in command.params:
        argument = parameter.name or ""
        complete = _OF_GROUP.get((group, name, argument)) or _ARGUMENTS.get((name, argument))
        if complete is not None:
            parameter.type = _Completed(parameter.type, complete)


# ---------------------------------------------------------------------- shells

_BASH = r"""
%(complete_func)s() {
    local IFS=$'\n' response type value
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
        %(complete_var)s=bash_complete $1 2>/dev/null)
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            words) compopt -o filenames; COMPREPLY+=("$value") ;;  # so that readline quotes them
            plain) COMPREPLY+=("$value") ;;
        esac
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Bash: it quotes what we mark as words."""

    source_template = _BASH


class _Zsh(ZshComplete):
    """Zsh: it quotes by itself."""

    def format_completion(self, item: CompletionItem[str]) -> str:
        return super().format_completion(_plain(item))


class _Fish(FishComplete):
    """Fish: it quotes by itself; a value may contain a comma."""

    source_template = FishComplete.source_template.replace(
        'string split "," $completion', 'string split --max 1 "," -- $completion'
    )

    def format_completion(self, item: CompletionItem[str]) -> str:
        return super().format_completion(_plain(item))


def _plain(item: CompletionItem[str]) -> CompletionItem[str]:
    return CompletionItem(item.value, "plain" if item.type == WORDS else item.type, item.help)


for _shell in (_Bash, _Zsh, _Fish):
    add_completion_class(_shell)
