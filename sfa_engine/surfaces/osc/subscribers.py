"""Save the subscribers for a restarted stage: a tablet does not notice the restart."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sfa_engine.surfaces.osc.feedback import FORMS, Form
from sfa_engine.surfaces.osc.peer import MAX_PEERS, Address, Peer

logger = logging.getLogger(__name__)
MAX_BYTES = 16_384

Kept = tuple[Address, int, float, Form]  # sending address, receiving port, rate, form


def save(path: Path, peers: Iterable[Peer]) -> None:
    """Write the UDP subscribers; `sfa stop` deletes the file."""
    rows = [
        [peer.address, peer.port, peer.feedback.rate_hz, peer.feedback.form]
        for peer in peers
        if peer.feedback is not None and peer.transport == "udp" and not peer.is_fixed
    ]
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(rows))
        part.replace(path)
    except OSError as error:
        logger.warning("OSC subscribers not saved: %s", error)


def load(path: Path) -> list[Kept]:
    """Return the saved subscribers; invalid ones are left out."""
    try:
        rows = json.loads(path.read_bytes()[:MAX_BYTES])
    except (OSError, ValueError, RecursionError):
        return []
    return [_kept(row) for row in rows[:MAX_PEERS] if _is_row(row)] if _is_list(rows) else []


def _kept(row: list[Any]) -> Kept:
    return tuple(row[0]), row[1], row[2], row[3]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_row(row: Any) -> bool:
    if not _is_list(row) or len(row) != 4 or not _is_list(row[0]) or len(row[0]) not in {2, 4}:
        return False
    (host, *numbers), port, rate_hz, form = row
    whole = all(type(number) is int for number in (*numbers, port))
    return type(host) is str and whole and type(rate_hz) is float and form in FORMS
