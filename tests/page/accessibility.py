"""WCAG 2.2 AA by axe-core, on the page as it is shown."""

from pathlib import Path

import pytest

AXE = Path(__file__).parents[2] / "page" / "node_modules" / "axe-core" / "axe.min.js"
# Themes and widths; a phone by day and a desk by night tell nearly all.
LOOKS = [
    pytest.param(
        *(theme, width),
        marks=[] if (theme, width) in {("dark", 1600), ("light", 390)} else pytest.mark.nightly,
    )
    for theme in ("dark", "light")
    for width in (390, 1180, 1600)
]
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


# Colours halfway between two states are of no use to a reader; spinners never end.
SETTLED = """() => Promise.allSettled(
    document.getAnimations()
        .filter((each) => Number.isFinite(each.effect.getComputedTiming().endTime))
        .map((each) => each.finished)
)"""


def violations(page):
    """Return what axe-core finds once transitions have ended: the rule, its demand, and where."""
    page.evaluate(AXE.read_text())  # by the browser's protocol: the policy refuses a script tag
    page.evaluate(f"async () => {{ await ({SETTLED})(); }}")
    found = page.evaluate(
        "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags } })", list(TAGS)
    )
    return [
        f"{each['id']}: {each['help']}: {node['target']}: {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
