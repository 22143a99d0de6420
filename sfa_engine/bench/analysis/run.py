"""Pieces with truth, made or found, and the scores of each engine on them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from sfa_engine.bench.analysis import answer
from sfa_engine.bench.analysis.score import Row, score
from sfa_engine.bench.pieces import make_piece, write_piece

ENGINES = ("product", "librosa")
LONG_S = 3600.0
_SHORT_S = 20.0  # a found piece that is a loop, not a track

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Item:
    """A sound file and the truth of it."""

    path: Path
    truth: dict[str, Any]


def made(
    kinds: Sequence[str], seed: int, count: int, folder: Path, progress: Progress
) -> list[Item]:
    """Write pieces of each kind, unless they are there; return them.

    Parameters
    ----------
    kinds : sequence of str
        Of `sfa_engine.bench.pieces.KINDS`.
    seed, count : int
        The first seed, and how many of each kind.
    folder : Path
        Where they are, or will be.
    progress : callable
        Gets the share done and a name.
    """
    names = [(kind, number) for kind in kinds for number in range(seed, seed + count)]
    items = []
    for done, (kind, number) in enumerate(names):
        path = folder / f"{kind}-{number}.flac"
        if not path.with_suffix(".json").exists():
            progress(done / len(names), f"making {path.name}")
            write_piece(kind, number, folder)
        items.append(Item(path, json.loads(path.with_suffix(".json").read_text())))
    return items


def found(place: Path) -> list[Item]:
    """Return the pieces of a folder of JSON files beside their sounds, or of a list in CSV.

    Parameters
    ----------
    place : Path
        A folder, or a CSV file with the columns ``file`` and ``truth_file``, both relative to it.
    """
    if place.is_dir():
        truths = [(file.parent, json.loads(file.read_text())) for file in place.glob("*.json")]
        return [_item(folder / truth["file"], truth) for folder, truth in truths if "bpm" in truth]
    with place.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("truth_file")]
    read = [json.loads((place.parent / row["truth_file"]).read_text()) for row in rows]
    # of the others at most the key is known
    return [
        _item(place.parent / row["file"], truth)
        for row, truth in zip(rows, read, strict=True)
        if truth["bpm"]
    ]


def _item(path: Path, truth: dict[str, Any]) -> Item:
    """Return a found piece, what is missing of its truth filled in."""
    loop = truth["duration"] < _SHORT_S
    filled = {"constant": True, "meter": 4, "key": None, "sections": None, "drops": None}
    group = truth.get("group") or ("real" if truth["bpm"] else "none")
    kind = truth["kind"] if truth.get("group") else "loop" if loop else "track"
    return Item(path, {**filled, **truth, "kind": kind, "group": group})


def answers(
    items: Sequence[Item], engine: str, folder: Path | None, progress: Progress
) -> list[dict[str, Any]]:
    """Return what an engine says of each piece, from `folder` if it is there.

    Parameters
    ----------
    items : sequence of Item
        The pieces.
    engine : str
        Of `ENGINES`.
    folder : Path, optional
        Keeps answers from run to run.
    progress : callable
        Gets the share done and a name.
    """
    # two folders of a list may have a file of one name
    names = [f"{item.path.parent.name}-{item.path.stem}.{engine}" for item in items]
    kept = [folder / name if folder else None for name in names]
    out = [json.loads(k.read_text()) if k and k.exists() else None for k in kept]
    todo = [number for number, said in enumerate(out) if said is None]
    paths = [items[number].path for number in todo]
    source = answer.librosa(paths) if engine == "librosa" else map(answer.product, paths)
    for number, said in zip(todo, source if todo else [], strict=True):
        progress(number / len(items), f"{engine}: {items[number].path.name}")
        out[number] = said
        if file := kept[number]:
            file.write_text(json.dumps(said))
    return [said or {} for said in out]


def rows(items: Sequence[Item], engine: str, folder: Path | None, progress: Progress) -> list[Row]:
    """Return the score of each piece; see `answers`."""
    said = answers(items, engine, folder, progress)
    return [score(item.truth, one) for item, one in zip(items, said, strict=True)]


def cost(engine: str, folder: Path) -> Row:
    """Return the cost of a file of one hour.

    Parameters
    ----------
    engine : str
        Of `ENGINES`.
    folder : Path
        For the file.
    """
    path = folder / "hour.flac"
    if not path.exists():
        piece = make_piece("house", 1)
        length = len(piece.sound) / piece.rate
        with soundfile.SoundFile(path, "w", piece.rate, 2, "PCM_16") as file:
            for _ in range(round(LONG_S / length)):
                file.write(piece.sound)
    said = next(answer.librosa([path])) if engine == "librosa" else answer.product(path)
    return {"group": "cost", "kind": "hour", "cpu_per_minute": said["cpu_s"] / LONG_S * 60.0,
            "rss_mb": said["rss_mb"]}  # fmt: skip
