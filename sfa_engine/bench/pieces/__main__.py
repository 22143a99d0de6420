"""Write test pieces: ``python -m sfa_engine.bench.pieces --kinds a,b --seed N FOLDER``."""

from __future__ import annotations

from pathlib import Path

import click

from sfa_engine.bench.pieces import KINDS, write_piece


@click.command()
@click.option("--kinds", default="", help="Names of kinds or groups, with commas; all if left out.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the first.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="Of each kind.")
@click.option("--list", "as_list", is_flag=True, help="List the kinds and end.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def main(kinds: str, seed: int, count: int, as_list: bool, folder: Path | None) -> None:
    """Write FLAC files and the JSON of their truth to FOLDER."""
    if as_list or folder is None:
        for name, entry in KINDS.items():
            print(f"{entry.group:8} {name:16} {entry.what}")
        return
    for name in chosen(kinds):
        for number in range(seed, seed + count):
            print(write_piece(name, number, folder))


def chosen(words: str) -> list[str]:
    """Return the kinds of a list of kinds and groups; all kinds of an empty one."""
    names = []
    for word in filter(None, words.split(",")):
        names += [name for name, entry in KINDS.items() if entry.group == word] or [word]
    return names or list(KINDS)


if __name__ == "__main__":
    main()
