"""`sfa audit`: who changed what."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import fit, print_json, print_rows

MAX_SHOWN = 500
MAX_DETAIL = 60  # columns


@click.command()
@click.option("--actor", help="Only by this user; `system` is this machine's own.")
@click.option("--verb", help="Only this, as `library.edit`, or `library` for all of it.")
@click.option("--target", help="Only this, as `track 12`.")
@click.option("--since", default="", help="At most so old, as 7d.")
@click.option("--limit", type=click.IntRange(1, MAX_SHOWN), default=50, show_default=True)
@json_option
def audit(
    actor: str | None, verb: str | None, target: str | None, since: str, limit: int, as_json: bool
) -> None:
    """Show who changed what, newest first, and what was refused."""
    with backstage() as client:
        said = client.call(
            "audit.list", actor=actor, verb=verb, target=target, since=since, limit=limit
        )
    found = said["changes"]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no changes", err=True)
        return
    rows: list[tuple[str, ...]] = [("at", "by", "from", "verb", "target", "change")]
    rows += [
        (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each["at_s"])),
            *(each["actor"], each["address"] or each["surface"], each["verb"]),
            *(fit(each["target"], MAX_DETAIL).rstrip(), _change(each)),
        )
        for each in found
    ]
    print_rows(rows)


def _change(each: dict[str, Any]) -> str:
    """Return what was changed, in a few words."""
    if each["outcome"] != "ok":
        return fit(each["outcome"], MAX_DETAIL).rstrip()
    before, after = each["before"] or {}, each["after"] or {}
    names = {**before, **after}
    words = [
        f"{name}: {_value(before.get(name))} → {_value(after.get(name))}"
        for name in names
        if name != "changed_at"
    ]
    if not words:
        words = [f"{name}: {_value(value)}" for name, value in (each["params"] or {}).items()]
    return fit(", ".join(words), MAX_DETAIL).rstrip()


def _value(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
