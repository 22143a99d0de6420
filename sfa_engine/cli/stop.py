"""`sfa stop`."""

from __future__ import annotations

import click

from sfa_engine.errors import EngineError
from sfa_engine.run.folders import runtime_path


@click.command()
def stop() -> None:
    """Stop the engine."""
    from sfa_engine.run.supervise import stop_all

    if not stop_all(runtime_path(), click.echo):
        raise EngineError("the engine is not running")
