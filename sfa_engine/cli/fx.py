"""`sfa fx`: chains of effects, and patches of user effects."""

from __future__ import annotations

import site
import sys
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.connect import backstage, connect
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.run.config import data_path

PATCHES = "patches"
unit_option = click.option(
    "--unit", type=click.IntRange(1, 2), default=1, show_default=True, help="Effect unit."
)


@click.group(cls=Group)
def fx() -> None:
    """Load and save chains of effects; make patches of your own."""


@fx.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the chains, built in and saved."""
    with backstage() as client:
        found = client.call("chains.list")
    if as_json:
        print_json(found)
        return
    for name in found["built_in"]:
        click.echo(f"{name:20}  built in")
    for name in found["chains"]:
        click.echo(name)


@fx.command()
@click.argument("name")
@unit_option
@json_option
def load(name: str, unit: int, as_json: bool) -> None:
    """Load a chain into a unit."""
    with connect() as client:
        loaded = client.call("fx.load", unit=unit, name=name)
    _show(loaded, "loaded", as_json=as_json)


@fx.command()
@click.argument("name")
@unit_option
@json_option
def save(name: str, unit: int, as_json: bool) -> None:
    """Save the chain of a unit under a name."""
    with connect() as client:
        saved = client.call("fx.save", unit=unit, name=name)
    _show(saved, "saved", as_json=as_json)


@fx.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a saved chain."""
    with backstage() as client:
        client.call("chains.delete", name=name)
    click.echo(f"{name}: deleted")


def _show(answer: dict[str, Any], did: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    kinds = [slot["kind"] for slot in answer["chain"]["slots"] if slot["kind"] != "none"]
    words = ", ".join(kinds) or "no effects"
    click.echo(f"fx{answer['unit']}: {answer['name']} {did} ({words})")


# ---------------------------------------------------------------------- patches


def _examples() -> dict[str, Path]:
    """Return the example patches, of the checkout or of where the package was installed."""
    checkout = Path(__file__).parents[2] / PATCHES
    installed = [Path(base, "share/sfa", PATCHES) for base in (sys.prefix, site.getuserbase())]
    folder = next((each for each in (checkout, *installed) if each.is_dir()), checkout)
    return {each.stem: each for each in sorted(folder.glob("*.py"))}


def _folder() -> Path:
    return data_path() / PATCHES


@fx.command()
@json_option
def patches(as_json: bool) -> None:
    """List your patches, and the examples."""
    own = sorted(each.stem for each in _folder().glob("*.py"))
    if as_json:
        print_json({"folder": str(_folder()), "patches": own, "examples": list(_examples())})
        return
    for name in own:
        click.echo(str(_folder() / f"{name}.py"))
    for name, path in _examples().items():
        sentence = path.read_text().split('"""')[1].splitlines()[0]
        click.echo(f"{name:12}  example: {sentence}")


@fx.command()
@click.argument("name")
@click.option("--like", default="telephone", show_default=True, help="Example to begin with.")
def new(name: str, like: str) -> None:
    """Write a patch to begin with: `sfa fx new my-effect --like shimmer`.

    Give it to a slot with `sfa set fx1.slot1.kind user` and `sfa set fx1.slot1.patch my-effect`; it
    is taken over whenever the file is saved.
    """
    from sfa_engine.stage.effects import check_patch

    check_patch(name or "-")
    examples = _examples()
    if like not in examples:
        hint = did_you_mean(like, examples) or ", ".join(examples)
        raise Refused(f'no example is called "{like:.40}"', hint)
    path = _folder() / f"{name}.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(examples[like].read_text())
    except FileExistsError:
        raise Refused(f"{path} exists", "edit it, or choose another name") from None
    except OSError as error:
        raise SfaError(f"{path}: {error.strerror}", "check permissions and free space") from None
    click.echo(str(path))


@fx.command()
def reload() -> None:
    """Start the processes of all user effects again."""
    with connect() as client:
        count = client.call("fx.reload")["reloaded"]
    click.echo(
        f"{count} user effects started again" if count != 1 else "1 user effect started again"
    )
