"""`sfa webhook`: messages to programs elsewhere about what happens here."""

from __future__ import annotations

import time
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import print_json, print_rows

EVENTS = ("track.downloaded", "track.processed", "track.analyzed", "job.failed", "*")
STATES = ("waiting", "delivered", "failed")
MAX_SHOWN = 200
_number = click.argument("webhook", type=click.IntRange(min=1))
_events = click.option(
    "--event", "events", type=click.Choice(EVENTS), multiple=True, help="Repeatable; * is all."
)


@click.group(cls=Group)
def webhook() -> None:
    """Messages by HTTP to programs elsewhere: tracks that are ready, jobs that failed."""


@webhook.command()
@click.argument("url")
@_events
@click.option("--description", default="", help="For yourself.")
@json_option
def add(url: str, events: tuple[str, ...], description: str, as_json: bool) -> None:
    """Add an endpoint, and print the secret that its messages are signed with."""
    with backstage() as client:
        said = client.call(
            "webhooks.add", url=url, events=list(events or ("*",)), description=description
        )
    if as_json:
        print_json(said)
        return
    click.echo(f"webhook {said['id']}: {' '.join(said['events'])}; its secret, shown only now:")
    click.echo(said["secret"])


@webhook.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the endpoints."""
    with backstage() as client:
        said = client.call("webhooks.list")["webhooks"]
    if as_json:
        print_json(said)
        return
    if not said:
        click.echo("no webhooks; add one with `sfa webhook add URL`", err=True)
        return
    rows: list[tuple[str, ...]] = [("id", "active", "waiting", "failed", "events", "url")]
    rows += [
        (
            *(str(each["id"]), "yes" if each["active"] else "no"),
            *(str(each["deliveries"][state]) for state in ("waiting", "failed")),
            *(" ".join(each["events"]), each["url"]),
        )
        for each in said
    ]
    print_rows(rows)


@webhook.command()
@_number
@json_option
def show(webhook: int, as_json: bool) -> None:
    """Show an endpoint."""
    with backstage() as client:
        said = client.call("webhooks.show", webhook=webhook)
    if as_json:
        print_json(said)
    else:
        _print(said)


@webhook.command(name="set")
@_number
@click.option("--url", help="Another address.")
@_events
@click.option("--description")
@click.option("--active/--inactive", default=None, help="Whether it is sent anything.")
def set_(
    webhook: int,
    url: str | None,
    events: tuple[str, ...],
    description: str | None,
    active: bool | None,
) -> None:
    """Change an endpoint."""
    with backstage() as client:
        said = client.call(
            "webhooks.set",
            webhook=webhook,
            url=url,
            events=list(events) or None,
            description=description,
            active=active,
        )
    _print(said)


@webhook.command()
@_number
def remove(webhook: int) -> None:
    """Remove an endpoint, with what waits for it."""
    with backstage() as client:
        said = client.call("webhooks.remove", webhook=webhook)
    click.echo(f"removed: {said['removed']}")


@webhook.command()
@_number
def rotate(webhook: int) -> None:
    """Make a new secret, and print it; for a day the old one signs too."""
    with backstage() as client:
        said = client.call("webhooks.rotate", webhook=webhook)
    click.echo(said["secret"])


@webhook.command()
@_number
@json_option
def test(webhook: int, as_json: bool) -> None:
    """Send an endpoint a message, and show its answer."""
    with backstage() as client:
        said = client.call("webhooks.test", webhook=webhook)
    if as_json:
        print_json(said)
    elif not said["error"]:
        click.echo(f"it answered {said['status']} after {said['seconds']:.2f} s")
    else:
        click.echo(f"sfa: {said['error']}", err=True)
    if said["error"]:
        raise click.exceptions.Exit(1)


@webhook.command()
@click.argument("webhook", type=click.IntRange(min=1), required=False)
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, MAX_SHOWN), default=20, show_default=True)
@json_option
def deliveries(webhook: int | None, state: str | None, limit: int, as_json: bool) -> None:
    """List what was sent, or is to be sent, newest first: to one endpoint or all."""
    with backstage() as client:
        said = client.call("webhooks.deliveries", webhook=webhook, state=state, limit=limit)
    found = said["deliveries"]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing was sent", err=True)
        return
    rows: list[tuple[str, ...]] = [("id", "webhook", "event", "at", "state", "tries", "last")]
    for each in found:
        last = each["tries"][-1] if each["tries"] else None
        rows.append(
            (
                *(str(each["id"]), str(each["webhook"]), each["event"], _at(each["created_s"])),
                *(each["state"], str(len(each["tries"])), _answer(last)),
            )
        )
    print_rows(rows)


@webhook.command(name="send-again")
@click.argument("delivery", type=click.IntRange(min=1))
def send_again(delivery: int) -> None:
    """Send a delivery again, by its number in `sfa webhook deliveries`."""
    with backstage() as client:
        said = client.call("webhooks.send_again", delivery=delivery)
    click.echo(f"{said['uuid']} is sent again to webhook {said['webhook']}")


def _print(said: dict[str, Any]) -> None:
    active = "active" if said["active"] else "not active"
    why = f": {said['problem']}" if said["problem"] else ""
    counts = ", ".join(f"{count} {state}" for state, count in said["deliveries"].items())
    click.echo(f"webhook {said['id']}: {said['url']}")
    if said["description"]:
        click.echo(said["description"])
    click.echo(f"{active}{why}; events: {' '.join(said['events'])}")
    click.echo(f"deliveries: {counts}")
    if said["is_rotating"]:
        click.echo("the old secret signs too, until a day after the rotation")
    if said["dropped"]:
        click.echo(f"its queue was full: {counted(said['dropped'], 'event')} not sent")


def _answer(last: dict[str, Any] | None) -> str:
    if last is None:
        return "not yet"
    return last["error"] or str(last["status"])


def _at(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
