"""`sfa web`: the address of the web process, its users, and tokens for programs."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json, print_rows
from sfa_engine.errors import EngineError

if TYPE_CHECKING:
    from sfa_engine.web.database import Connection

ROLES = ("user", "moderator", "admin", "super_admin")
ANSWER_TIMEOUT_S = 5.0
ELSEWHERE = ("192.0.2.1", 9)  # of no machine: it is only asked by which address it were reached
_name = click.argument("name")
_names = click.argument("names", metavar="NAME", nargs=-1, required=True)


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def web(context: click.Context, as_json: bool) -> None:
    """Show the address of the web process; without a user, a link to make the first one."""
    if context.invoked_subcommand is not None:
        return
    from sfa_engine.web import secrets, users

    is_running, base = _base()
    with _accounts() as connection:
        has_users = users.exist(connection)
        link = None if has_users else f"{base}/welcome#{secrets.add_link(connection, None)}"
    if as_json:
        print_json({"running": is_running, "address": base, "link": link})
        return
    if not is_running:
        click.echo("the web process is not running; start it with `sfa start --web`", err=True)
    if link is None:
        click.echo(base)
    else:
        click.echo("There is no user yet. Make the first one here, within 10 minutes:")
        _show_link(link)


@web.group()
def user() -> None:
    """Invite users, change their roles, reset passwords, suspend."""


@user.command()
@_name
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True)
def add(name: str, role: str) -> None:
    """Make a user, and print a link by which they set a password."""
    from sfa_engine.web import secrets, users
    from sfa_engine.web.rights import SYSTEM

    with _accounts() as connection:
        made = users.add(connection, SYSTEM, name, role)
        secret = secrets.add_link(connection, made)
    click.echo(f"{name} is {_a(role)}. Hand over this link, which is valid for three days:")
    _show_link(f"{_base()[1]}/welcome#{secret}")


@user.command()
@_name
def reset(name: str) -> None:
    """Print a link by which a user sets a new password; the old one is valid until then."""
    from sfa_engine.web import secrets, users

    with _accounts() as connection:
        secret = secrets.add_link(connection, users.get(connection, name))
    click.echo(f"Hand this link to {name}, which is valid for three days:")
    _show_link(f"{_base()[1]}/welcome#{secret}")


@user.command()
@_name
@click.argument("role", type=click.Choice(ROLES))
def role(name: str, role: str) -> None:
    """Change a user's role."""
    from sfa_engine.web import users
    from sfa_engine.web.rights import SYSTEM

    with _accounts() as connection:
        users.set_role(connection, SYSTEM, name, role)
    click.echo(f"{name} is {_a(role)}")


@user.command()
@_names
def suspend(names: tuple[str, ...]) -> None:
    """Let users in no more; browsers are signed out, tokens refused."""
    _set_status(names, "suspended")
    for name in names:
        click.echo(f"{name} is suspended; `sfa web user restore {name}` lets them in again")


@user.command()
@_names
def restore(names: tuple[str, ...]) -> None:
    """Let suspended users in again."""
    _set_status(names, "active")
    for name in names:
        click.echo(f"{name} may sign in")


@user.command(name="list")
@json_option
def list_users(as_json: bool) -> None:
    """List the users."""
    from sfa_engine.web import users

    with _accounts() as connection:
        found = users.listed(connection)
    if as_json:
        print_json(
            [
                {
                    "id": u.id,
                    "name": u.name,
                    "role": u.role,
                    "state": u.state,
                    "created_s": u.created_s,
                }
                for u in found
            ]
        )
        return
    rows = [(str(u.id), u.name, u.role, u.state) for u in found]
    print_rows([("number", "name", "role", "state"), *rows])


@web.group()
def token() -> None:
    """Make, list and delete tokens, by which programs sign in."""


@token.command(name="add")
@_name
@click.argument("purpose")
@click.option(
    "--scope", "scopes", multiple=True, default=("read",), show_default=True, help="Repeatable."
)
@click.option("--days", type=click.IntRange(1, 3650), help="Until it expires; never if left out.")
def add_token(name: str, purpose: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token of a user's for some purpose, and print it: it cannot be shown again."""
    from sfa_engine.web import secrets, users

    with _accounts() as connection:
        owner = users.get(connection, name)
        secret, _ = secrets.add_token(connection, owner, purpose[:64], scopes, days)
    click.echo(secret)


@token.command(name="list")
@_name
@json_option
def list_tokens(name: str, as_json: bool) -> None:
    """List a user's tokens."""
    from dataclasses import asdict

    from sfa_engine.web import secrets, users

    with _accounts() as connection:
        found = secrets.tokens_of(connection, users.get(connection, name).id)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    rows: list[tuple[str, ...]] = [("id", "purpose", "scopes", "expires", "last used")]
    rows += [
        (each.id, each.name, " ".join(each.scopes), _day(each.expires_s), _day(each.seen_s))
        for each in found
    ]
    print_rows(rows)


@token.command(name="delete")
@_name
@click.argument("token_id", metavar="ID")
def delete_token(name: str, token_id: str) -> None:
    """Delete one of a user's tokens."""
    from sfa_engine.errors import Refused
    from sfa_engine.web import secrets, users

    with _accounts() as connection:
        owner = users.get(connection, name)
        if not secrets.delete_token(connection, owner.id, token_id):
            raise Refused(
                f'{name} has no token "{token_id:.40}"', f"see `sfa web token list {name}`"
            )


def _set_status(names: tuple[str, ...], status: str) -> None:
    """Set the status of users; of none if one cannot be set."""
    from sfa_engine.web import users
    from sfa_engine.web.rights import SYSTEM

    with _accounts() as connection:
        for name in names:
            users.set_status(connection, SYSTEM, name, status)


@contextmanager
def _accounts() -> Iterator[Connection]:
    """Lend a connection to the accounts, in a transaction."""
    from sfa_engine.run.config import private_data_path
    from sfa_engine.web.database import FILE, open_database, transaction

    with (
        closing(open_database(private_data_path() / FILE)) as connection,
        transaction(connection),
    ):
        yield connection


def _base() -> tuple[bool, str]:
    """Return whether the web process runs, and its address as others reach it."""
    from sfa_engine.run.config import load_config
    from sfa_engine.run.folders import runtime_path
    from sfa_engine.system.runtime_files import WEB_SOCKET
    from sfa_engine.wire.blocking import SocketClient

    config = load_config().web
    try:
        path = runtime_path() / WEB_SOCKET
        with SocketClient(path, ANSWER_TIMEOUT_S, "the web process") as client:
            status: dict[str, Any] = client.call("web.status")
    except EngineError:
        return False, _address(config.host, config.port)
    return True, _address(status["host"], status["port"])


def _address(host: str, port: int) -> str:
    """Return an address for browsers; of all addresses, one that the network reaches."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared
        host = _own_address()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _own_address() -> str:
    """Return this machine's address in its network; loopback without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)  # sends nothing
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


def _show_link(link: str) -> None:
    """Print a link; in a terminal, as a QR code too."""
    click.echo(link)
    if sys.stdout.isatty():
        try:
            import segno
        except ImportError:
            return
        segno.make(link).terminal(compact=True)


def _a(role: str) -> str:
    return f"{'an' if role == 'admin' else 'a'} {role}"


def _day(at_s: float | None) -> str:
    return "never" if at_s is None else time.strftime("%Y-%m-%d", time.localtime(at_s))
