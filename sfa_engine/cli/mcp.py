"""`sfa mcp`: tools for an AI client, which starts this as a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from sfa_engine.errors import Refused

if TYPE_CHECKING:
    from sfa_engine.wire.verbs import Scope

SDK = "mcp"
INSTALL = "install it: pip install 'sfa-engine[mcp]'"
MORE: tuple[Scope, ...] = ("prepare", "perform")


@click.command()
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(MORE),
    help="Beside reading and drafts: start jobs, or act on decks. Repeatable.",
)
def mcp(allow: tuple[str, ...]) -> None:
    r"""Serve tools to an AI client over standard input and output; the client starts this.

    \b
    Its configuration names the command "sfa" with the argument "mcp", and "--allow prepare" for
    jobs. What would change the library is a draft, which a person applies: see `sfa proposals`.
    """
    if find_spec(SDK) is None:
        raise Refused(f"the package {SDK} is missing", INSTALL)
    from sfa_engine.agents.mcp.output import take_output

    output = take_output()  # before anything is imported that could print
    try:
        from sfa_engine.agents.mcp.server import serve
    except ImportError as error:
        raise Refused(f"the package {SDK} is of another version: {error}", INSTALL) from None
    from sfa_engine.agents.tools.all import TOOLS
    from sfa_engine.agents.tools.tool import USUAL_SCOPES
    from sfa_engine.run.folders import runtime_path

    scopes = USUAL_SCOPES.union(each for each in MORE if each in allow)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(TOOLS, runtime_path(), scopes, output))
