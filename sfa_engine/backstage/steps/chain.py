"""The chain as plans: what comes after what, how urgent, how long it may take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.wire.frames import sayable

NONE = "none"  # instead of an engine: stays in one piece
ENGINES = ("auto", "demucs", "embedded", "sketch", "lalalai", NONE)
IMPORT_LIMIT_S = 900.0
DOWNLOAD_LIMIT_S = 1800.0
SEPARATE_LIMIT_S = 4 * 3600.0  # two hours of music with htdemucs_ft on a small machine
ANALYSE_LIMIT_S = 1800.0
CUE_LIMIT_S = 60.0


@dataclass(frozen=True)
class Wish:
    """How a person wants a track prepared.

    Parameters
    ----------
    engine, model : str
        Of separation; empty for the configured ones.
    again : bool
        Whether what was done is to be done anew.
    priority : int
        Higher is earlier.
    """

    engine: str = ""
    model: str = ""
    again: bool = False
    priority: int = 0

    def __post_init__(self) -> None:
        if self.engine and self.engine not in ENGINES:
            hint = did_you_mean(self.engine, ENGINES) or f"say {', '.join(ENGINES)}"
            raise Refused(f'no engine "{self.engine:.40}"', hint)
        if not -100 <= self.priority <= 100:
            raise Refused(f"priority is {self.priority}", "give -100 to 100")

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Wish:
        """Return the wish that a job's arguments hold."""
        return cls(**args.get("wish", {}))

    @property
    def words(self) -> dict[str, Any]:
        """The wish as a job's argument."""
        return {"wish": asdict(self)}


@dataclass(frozen=True)
class Find:
    """A file that was found, and what is known of it from elsewhere.

    Parameters
    ----------
    path : str
        Of the file; or of a folder with one file for each stem.
    sources : mapping
        Files by stem name, where it is such a folder.
    told : mapping
        What a service says of it: title, artist …; it is believed before the tags.
    """

    path: str
    sources: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


def import_file(find: Find, wish: Wish) -> Plan:
    """Return the plan to take a file in."""
    return Plan(
        Kind.IMPORT,
        {**asdict(find), **wish.words},
        title=sayable(str(find.told.get("title") or Path(find.path).name)),
        unique=import_key(find.path),
        priority=wish.priority,
        time_limit_s=IMPORT_LIMIT_S,
    )


def import_key(place: str) -> str:
    """Return what tells the import of a file, a folder or a link from others."""
    return f"import:{sayable(place)}"


def import_link(url: str, wish: Wish) -> Plan:
    """Return the plan to find out what a link stands for."""
    return Plan(
        Kind.IMPORT,
        {"link": url, **wish.words},
        title=url,
        unique=f"link:{url}",
        priority=wish.priority,
        most_attempts=5,
        time_limit_s=IMPORT_LIMIT_S,
    )


def download(url: str, told: Mapping[str, Any], wish: Wish) -> list[Plan]:
    """Return the plans to fetch a piece of music and take it in."""
    title = str(told.get("title") or url)
    fetch = Plan(
        Kind.DOWNLOAD,
        {"url": url, "told": dict(told), **wish.words},
        title=title,
        unique=f"download:{url}",
        priority=wish.priority,
        most_attempts=5,
        time_limit_s=DOWNLOAD_LIMIT_S,
    )
    take = Plan(
        Kind.IMPORT,
        {"downloaded": True, "url": url, "told": dict(told), **wish.words},
        title=title,
        unique=import_key(url),
        priority=wish.priority,
        time_limit_s=IMPORT_LIMIT_S,
        needs_last=True,
    )
    return [fetch, take]


def prepare(track: int, title: str, wish: Wish) -> list[Plan]:
    """Return the plans for a track that is here: stems, analysis, cues."""
    return [
        Plan(
            kind,
            wish.words,
            title=title,
            track=track,
            unique=f"{kind}:{track}",
            priority=wish.priority,
            time_limit_s=limit_s,
            needs_last=needs_last,
        )
        for kind, limit_s, needs_last in (
            (Kind.SEPARATE, SEPARATE_LIMIT_S, False),
            (Kind.ANALYSE, ANALYSE_LIMIT_S, False),
            (Kind.CUE, CUE_LIMIT_S, True),
        )
    ]
