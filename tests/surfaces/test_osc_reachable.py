"""Every control of the desk is played by OSC, told by OSC, and stands in its document."""

import re
from pathlib import Path

from sfa_engine.desk import CONTROLS, Button
from sfa_engine.surfaces.osc.address import ALIASES, TARGETS, UNIT_SENDERS, address_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "osc.md").read_text()
ROWS = re.findall(r"^\| (/\S+) \|", DOCUMENT, re.MULTILINE)


def pattern(row):
    """Return what the addresses of a row of the table look like."""
    text = re.escape(row)
    text = re.sub(r"1…\d+", r"\\d+", text)
    return re.sub(r"\\\*\w+\\\*", r"\\w+", text)


PATTERN = re.compile("|".join(map(pattern, ROWS)))


def test_every_control_is_played_sent_and_documented():
    for path in [p for p, c in CONTROLS.items() if not c.planned]:
        address = address_of(path)
        assert TARGETS[address.encode()].path == path
        assert (path in UNIT_SENDERS) is not isinstance(CONTROLS[path], Button), path
        assert PATTERN.fullmatch(address), address


def test_every_other_address_is_documented():
    for address in ALIASES[0]:
        shown = re.sub(r"/stem/\d/", "/stem/1/", address.decode())
        assert f"`{shown}`" in DOCUMENT or f"`{shown} " in DOCUMENT
    for word in ("subscribe", "unsubscribe", "resync", "describe", "ping"):
        assert f"/sfa/{word}" in DOCUMENT
