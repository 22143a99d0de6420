"""`sfa mcp`: tools for an AI client, which starts this as a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import click

from sfa_engine.errors import Refused

EXTRA = ("mcp", "mcp_types", "anyio", "pydantic")  # what is missing without the extra
MORE = ("prepare", "perform")


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
    jobs. Nothing is changed before a person applies it: see `sfa proposals`.
    """
    try:
        from sfa_engine.agents.mcp.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise Refused(
            "the package mcp is missing", "install it: pip install 'sfa-engine[mcp]'"
        ) from None
    from sfa_engine.agents.tools.all import TOOLS
    from sfa_engine.agents.tools.tool import USUAL_SCOPES
    from sfa_engine.run.folders import runtime_path

    scopes = USUAL_SCOPES | {each for each in MORE if each in allow}
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(TOOLS, runtime_path(), scopes))
