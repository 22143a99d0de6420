"""`sfa midi ports`, `monitor`, `learn` and `profile`: connected controllers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import print_json, print_json_line
from sfa_engine.errors import EngineError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PERIOD_S = 0.5  # between two polls of `sfa midi ports --watch`
ANSWER_TIMEOUT_S = 15.0  # after the time that `sfa midi learn` waits


def _completer(what: str) -> Callable[..., list[CompletionItem[str]]]:
    """Return a function of `completion`, imported on its first call."""

    def complete(*arguments: Any) -> list[CompletionItem[str]]:
        from sfa_engine.cli import completion

        found: list[CompletionItem[str]] = getattr(completion, what)(*arguments)
        return found

    return complete


_device = click.option(
    "--device", default="", shell_complete=_completer("controllers"),
    help="Only this controller: its name, or a part of it.",
)  # fmt: skip


@click.command()
@click.option("--watch", is_flag=True, help="Show it again whenever something changes.")
@click.option("--json", "as_json", is_flag=True, help="For programs; a line each with --watch.")
def ports(*, watch: bool, as_json: bool) -> None:
    """List the connected MIDI controllers, and the profile of each."""
    shown: Any = None
    with connect() as client:
        while True:
            said = client.call("midi.ports")
            seen = said if as_json else _port_lines(said)
            if seen != shown:
                shown = seen
                if as_json and watch:
                    print_json_line(said)
                elif as_json:
                    print_json(said)
                else:
                    click.echo("\n".join(seen))
            if not watch:
                return
            time.sleep(PERIOD_S)


def _port_lines(said: dict[str, Any]) -> list[str]:
    """Return a line for each controller, with its profile or what to do."""
    if said["error"]:
        return [f"no MIDI at present: {said['error']}"]
    if not said["ports"]:
        return [f"no MIDI controller is plugged in (driver {said['driver']})"]
    lines = []
    width = max(len(port["name"]) for port in said["ports"])
    for port in said["ports"]:
        if port["error"]:
            what = port["error"]
        elif port["profile"] is None:
            what = "no profile: `sfa midi learn CONTROL` binds its controls, one by one"
        else:
            lights = f", {counted(port['lights'], 'light')}" if port["lights"] else ""
            what = f"profile {port['profile']}, {counted(port['bindings'], 'binding')}{lights}"
        clock = [word for word in ("clock_in", "clock_out") if port[word]]
        clocks = f", {' and '.join(clock).replace('_', ' ')}" if clock else ""
        counts = f"{port['received']} received, {port['sent']} sent"
        dropped = f", {port['dropped']} dropped" if port["dropped"] else ""
        line = f"{port['slot']:2}  {port['name']:{width}}  {what}{clocks}; {counts}{dropped}"
        lines.append(line)
    return lines


@click.command()
@_device
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def monitor(device: str, *, as_json: bool) -> None:
    """Show what controllers send, and what it does, until Ctrl-C."""
    with connect() as client:
        said = client.call("midi.monitor", device=device)
        if not as_json:
            names = ", ".join(said["devices"]) or "controllers, of which none is plugged in yet"
            click.echo(f"listening to {names}, until Ctrl-C", err=True)
        for method, pushed in client.notifications():
            if method != "midi.message":
                continue
            for item in pushed["items"]:
                if as_json:
                    print_json_line(item)
                else:
                    did = f"  {'; '.join(item['did'])}" if item["did"] else ""
                    click.echo(f"{item['device']}  {item['hex']:8}  {item['words']}{did}")
            if pushed["missed"] and not as_json:
                click.echo(f"({pushed['missed']} more were not shown)")


@click.command()
@click.argument("control", shell_complete=_completer("controls"))
@_device
@click.option(
    "--timeout", "timeout_s", default=30.0, show_default=True, type=click.FloatRange(1, 600),
    help="Seconds to wait for the move.",
)  # fmt: skip
@click.option(
    "--light/--no-light", default=True, show_default=True,
    help="Whether a button shows the state of the control by its lamp.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def learn(control: str, device: str, timeout_s: float, *, light: bool, as_json: bool) -> None:
    """Bind a control to what is moved or pressed next: `sfa midi learn deck1.fader`.

    Turn an endless knob both ways. A button that is learned for a fader sets it to its present
    value.
    """
    from sfa_engine.desk.desk import find
    from sfa_engine.run.folders import runtime_path
    from sfa_engine.system.runtime_files import ENGINE_SOCKET
    from sfa_engine.wire.blocking import SocketClient

    hint = ""
    find(control)  # reject an unknown control before the user moves something

    def show_progress(method: str, pushed: Any) -> None:
        nonlocal hint
        if method != "midi.learning" or as_json:
            return
        for item in pushed["items"]:
            click.echo(f"  {item['device']}: {item['words']}", err=True)
            if item["hint"] and item["hint"] != hint:
                hint = item["hint"]
                click.echo(f"  {hint}", err=True)

    with connect() as client:
        names = [each["name"] for each in client.call("midi.ports")["ports"]]
    with SocketClient(runtime_path() / ENGINE_SOCKET, timeout_s + ANSWER_TIMEOUT_S) as client:
        if not as_json:
            among = device or ", ".join(names) or "a controller"
            click.echo(f"move or press what {control} is to be, on {among}", err=True)
        said = client.call_with_notifications(
            show_progress,
            "midi.learn",
            path=control, device=device, timeout_s=timeout_s, light=light,
        )  # fmt: skip
    if as_json:
        print_json(said)
    else:
        click.echo(f"{said['device']}: {said['input']} -> {said['do']}")
        if said["saved"]:
            click.echo(f"saved in {said['saved']}")
    if said["why"]:
        raise EngineError(said["why"])


@click.command()
@click.argument("device", shell_complete=_completer("controllers"))
@click.argument("name", default="")
def profile(device: str, name: str) -> None:
    """Choose the profile of a controller: a name, or none.

    Without NAME the profile is found by the name of the controller again. `sfa midi map` lists
    the profiles.
    """
    with connect() as client:
        said = client.call("midi.profile", device=device, profile=name)
        found = client.call("midi.ports")["ports"]
    for port in found:
        if port["name"] in said["devices"]:
            click.echo(f"{port['name']}: {port['profile'] or 'no profile'}")


COMMANDS = (ports, monitor, learn, profile)
