"""`sfa bench analysis`: make or find pieces, score the engines, print or write the tables."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from sfa_engine.bench.analysis import answer, reliability, run, table
from sfa_engine.bench.pieces.__main__ import chosen
from sfa_engine.cli import screen
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused, did_you_mean

PICTURE = Path("images") / "analysis-reliability.png"


def run_bench(
    *,
    kinds: str,
    seed: int,
    count: int,
    index: Path | None,
    only: tuple[str, ...],
    no_cost: bool,
    keep: Path | None,
    docs: Path | None,
    as_json: bool,
) -> None:
    """Score the engines and show the result.

    Parameters
    ----------
    kinds : str
        Kinds or groups of pieces, separated by commas; all if empty.
    seed, count : int
        The first seed, and how many pieces of each kind.
    index : Path, optional
        Pieces to score instead; see `run.found`.
    only : tuple of str
        Engines; all that are installed if empty.
    no_cost : bool
        Do not analyse an hour.
    keep : Path, optional
        Where pieces and answers stay; else they are deleted.
    docs : Path, optional
        Folder whose ``analysis.md`` and picture are written.
    as_json : bool
        Print the scores of all pieces instead of tables.
    """
    engines = only or (run.ENGINES if answer.has_librosa() else run.ENGINES[:1])
    for engine in engines:
        if engine not in run.ENGINES:
            hint = did_you_mean(engine, run.ENGINES) or ", ".join(run.ENGINES)
            raise Refused(f'engine not found: "{engine}"', hint)
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfa-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        bar = stack.enter_context(screen.progress_bar("bench", quiet=as_json))
        items = run.found(index) if index else run.made(chosen(kinds), seed, count, folder, bar)
        scores = {engine: run.rows(items, engine, keep, bar) for engine in engines}
        cost = None if no_cost else {engine: [run.cost(engine, folder)] for engine in engines}
        bar(1.0, "bench")
    if as_json:
        print_json({"scores": scores, "cost": cost})
        return
    mine = scores.get("product", [])
    kinds_of = len({item.truth["kind"] for item in items})
    seeds = f", {count} of each from seed {seed} on" if not index else ""
    about = f"{len(items)} pieces of {kinds_of} kinds{seeds}."
    parts = {"goals": f"{about}\n\n{table.goals(scores, cost)}"}
    if mine:
        parts |= {"kinds": table.kinds(scores), "reliability": table.reliability(mine)}
    if docs:
        table.write(docs / "analysis.md", parts)
        reliability.draw(mine, docs / PICTURE)
        return
    for part in parts.values():
        print(part, end="\n\n")
    print("\n".join(table.failures(mine)))
