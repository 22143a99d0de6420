"""`sfa osc`: list OSC peers, send messages, and monitor feedback."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from typing import Any

import click

from sfa_engine.cli.connect import ask_surface
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json, print_rows
from sfa_engine.errors import EngineError, Refused, SfaError

ANSWER_TIMEOUT_S = 1.0
REFUSAL_S = 0.05  # for the audio thread to refuse what the stage has passed on
KEEP_S = 20.0  # between two keep-alive messages; a subscription expires after 60
MARK = "sfa osc"  # of the ping whose answer ends the answer


@click.group(cls=Group)
def osc() -> None:
    """List OSC peers, send messages, and monitor feedback."""


@osc.command()
@json_option
def peers(as_json: bool) -> None:
    """List peers and subscribers, discovered tablets, and refused hosts."""
    hint = "write `enabled = true` below [osc], and restart the engine"
    found = ask_surface("OSC", "osc.peers", hint)
    if as_json:
        print_json(found)
        return
    rows = [("address", "name", "receives", "rate", "messages", "errors", "last received")]
    for one in found["peers"]:
        ago_s = one["last_received_ago_s"]
        rows.append(
            (
                one["address"],
                one["name"] or one["transport"],
                str(one["port"] or ""),
                f"{one['rate_hz']:g} Hz" if one["rate_hz"] else "",
                *(str(one["messages"]), str(one["errors"])),
                "never" if ago_s is None else f"{ago_s:.0f} s ago",
            )
        )
    print_rows(rows)
    for tablet in found["tablets"]:
        click.echo(f"found: {tablet['name']}, {tablet['host']}, receives on {tablet['port']}")
    for host, count in found["refused"].items():
        click.echo(f"refused: {host}, {count} messages; add it to osc.allow to allow it")


def _peer_options(command: Any) -> Any:
    for option in (
        click.option("--port", type=click.IntRange(1, 65_535), help="osc.port if left out."),
        click.option("--host", default="127.0.0.1", show_default=True),
    ):
        command = option(command)
    return command


@osc.command(context_settings={"ignore_unknown_options": True})
@click.argument("address")
@click.argument("arguments", nargs=-1)
@_peer_options
def send(address: str, arguments: tuple[str, ...], host: str, port: int | None) -> None:
    """Send a message and show the answer: `sfa osc send /deck1/fader -6`.

    A whole number is sent as int32, another as float32, true and false as such, the rest as text.
    """
    from sfa_engine.surfaces.osc.address import message

    if not address.startswith("/"):
        hint = f"write /{address.replace('.', '/')}"
        raise Refused(f'"{address:.60}" is not an OSC address', hint)
    with _line(host, port) as line:
        _send(line, message(address, *map(_argument, arguments)))
        _send(line, message("/sfa/ping", MARK))
        answered = False
        for sent, values in _messages(line, ANSWER_TIMEOUT_S):
            if sent == "/sfa/error":
                raise SfaError(str(values[-1]))
            if (sent, values) == ("/sfa/pong", [MARK]):
                answered = True
                break
            click.echo(" ".join([sent, *map(_shown, values)]))
        for sent, values in _messages(line, REFUSAL_S):
            if sent == "/sfa/error":
                raise SfaError(str(values[-1]))
    if not answered:
        raise EngineError(f"no answer from {host}", "see `sfa log stage`, or osc.enabled")


@osc.command()
@click.option("--rate", default=10.0, show_default=True, help="Times a second, at most.")
@_peer_options
def monitor(rate: float, host: str, port: int | None) -> None:
    """Subscribe, and show the feedback that a tablet would get, until Ctrl-C."""
    from sfa_engine.surfaces.osc.address import message

    with _line(host, port) as line:
        _send(line, message("/sfa/subscribe", 0, rate, "unit"))
        kept_s = time.monotonic()
        for sent, values in _messages(line, math.inf):
            if not sent.startswith("/sfa/"):
                click.echo(" ".join([sent, *map(_shown, values)]))
            if time.monotonic() - kept_s > KEEP_S:
                kept_s = time.monotonic()
                _send(line, message("/sfa/ping"))


def _line(host: str, port: int | None) -> socket.socket:
    if port is None:
        from sfa_engine.run.config import load_config

        port = load_config().osc.port
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        line = socket.socket(family, socket.SOCK_DGRAM)
        line.settimeout(0.02)
        line.connect(place)
    except OSError as error:
        raise EngineError(f"{host}: {error.strerror}") from None
    return line


def _send(line: socket.socket, packet: bytes) -> None:
    try:
        line.send(packet)
    except OSError as error:
        raise _unreachable(error) from None


def _unreachable(error: OSError) -> EngineError:
    """Return the error of an undelivered packet, which the system reports later."""
    return EngineError(
        f"no OSC receiver there: {error.strerror}", "`sfa start`, or see `sfa log stage`"
    )


def _messages(line: socket.socket, seconds: float) -> Iterator[tuple[str, list[Any]]]:
    """Yield addresses and arguments of the messages received for some time."""
    from sfa_engine.surfaces.osc.packet import parse_all

    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            packet = line.recv(65_536)
        except TimeoutError:
            continue
        except OSError as error:
            raise _unreachable(error) from None
        for received in parse_all(packet):
            yield received.address, list(received.arguments)


def _argument(word: str) -> float | str:
    if word.lower() in {"true", "false"}:
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
