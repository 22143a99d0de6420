"""Plans of the jobs of the chain: their order, priorities and time limits. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.prep.options import ENGINES, NO_ENGINE, QUALITIES
from sfa_engine.wire.frames import sayable

IMPORT_LIMIT_S = 900.0
DOWNLOAD_LIMIT_S = 1800.0
SEPARATE_LIMIT_S = 4 * 3600.0  # two hours of music with htdemucs_ft on a small machine
ANALYSE_LIMIT_S = 1800.0
CUE_LIMIT_S = 60.0
TAG_LIMIT_S = 300.0
MASTER_LIMIT_S = 4 * 3600.0  # hours of music on a small machine
MAX_PREVIEW_S = 600.0
REANALYSIS_PRIORITY = -10  # after what is imported meanwhile
TAG_PRIORITY = -20  # beside the rest: first all tracks are ready, then they get tags


@dataclass(frozen=True)
class PrepOptions:
    """How a track is to be prepared.

    Parameters
    ----------
    engine, model : str
        Of separation; empty: as configured.
    again : bool
        Whether to repeat what was done before.
    priority : int
        Higher is earlier.
    quality : str
        Of a download; empty: as configured.
    preview_s : float
        Seconds of the track to separate, for auditioning; 0: all of it.
    """

    engine: str = ""
    model: str = ""
    again: bool = False
    priority: int = 0
    quality: str = ""
    preview_s: float = 0.0

    def __post_init__(self) -> None:
        known = (*ENGINES, NO_ENGINE)
        if self.engine and self.engine not in known:
            hint = did_you_mean(self.engine, known) or f"give one of {', '.join(known)}"
            raise Refused(f'no engine "{self.engine:.40}"', hint)
        if self.quality and self.quality not in QUALITIES:
            hint = did_you_mean(self.quality, QUALITIES) or f"give one of {', '.join(QUALITIES)}"
            raise Refused(f'no quality "{self.quality:.40}"', hint)
        if self.preview_s and not 1.0 <= self.preview_s <= MAX_PREVIEW_S:
            raise Refused(
                f"invalid preview of {self.preview_s:g} s", f"give 1..{MAX_PREVIEW_S:g} s"
            )
        if not -100 <= self.priority <= 100:
            raise Refused(f"invalid priority {self.priority}", "give -100 to 100")

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> PrepOptions:
        """Return the options in a job's arguments."""
        return cls(**args.get("options", {}))

    def to_args(self) -> dict[str, Any]:
        """Return the options as job arguments."""
        return {"options": asdict(self)}


@dataclass(frozen=True)
class ImportSource:
    """A file to import, with metadata from elsewhere.

    Parameters
    ----------
    path : str
        Of the file; or of a folder with one file for each stem.
    sources : mapping
        Files by stem name, for such a folder.
    metadata : mapping
        Of a service: title, artist …; preferred to the tags.
    """

    path: str
    sources: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


def import_file(source: ImportSource, options: PrepOptions) -> Plan:
    """Return the plan that imports a file."""
    return Plan(
        Kind.IMPORT,
        {**asdict(source), **options.to_args()},
        title=sayable(str(source.metadata.get("title") or Path(source.path).name)),
        unique=import_key(source.path),
        priority=options.priority,
        time_limit_s=IMPORT_LIMIT_S,
    )


def import_key(location: str) -> str:
    """Return the unique key of the import of a file, a folder or an address."""
    return f"import:{sayable(location)}"


def import_link(url: str, options: PrepOptions) -> Plan:
    """Return the plan that resolves a link."""
    return Plan(
        Kind.IMPORT,
        {"link": url, **options.to_args()},
        title=url,
        unique=f"link:{url}",
        priority=options.priority,
        max_attempts=5,
        time_limit_s=IMPORT_LIMIT_S,
    )


def download(url: str, metadata: Mapping[str, Any], options: PrepOptions) -> list[Plan]:
    """Return the plans that download a track and import it."""
    title = str(metadata.get("title") or url)
    fetch = Plan(
        Kind.DOWNLOAD,
        {"url": url, "metadata": dict(metadata), **options.to_args()},
        title=title,
        unique=f"download:{url}",
        priority=options.priority,
        max_attempts=5,
        time_limit_s=DOWNLOAD_LIMIT_S,
    )
    import_ = Plan(
        Kind.IMPORT,
        {"downloaded": True, "url": url, "metadata": dict(metadata), **options.to_args()},
        title=title,
        unique=import_key(url),
        priority=options.priority,
        time_limit_s=IMPORT_LIMIT_S,
        needs_last=True,
    )
    return [fetch, import_]


def tag_again(track: int, title: str) -> list[Plan]:
    """Return the plan that tags a track whose analysis is current, after all that is new."""
    return [tag(track, title, PrepOptions(priority=REANALYSIS_PRIORITY))]


def reanalyse(track: int, title: str) -> list[Plan]:
    """Return the plans that analyse a prepared track again, after all that is new."""
    options = PrepOptions(again=True, priority=REANALYSIS_PRIORITY)
    return [plan for plan in prepare(track, title, options) if plan.kind is not Kind.SEPARATE]


def master(track: int, title: str, args: Mapping[str, Any]) -> Plan:
    """Return the plan that masters a track; the same twice is done once."""
    return Plan(
        Kind.MASTER,
        args,
        title=title,
        track=track,
        unique=f"{Kind.MASTER}:{track}:{json.dumps(args, sort_keys=True)}",
        time_limit_s=MASTER_LIMIT_S,
    )


def prepare(track: int, title: str, options: PrepOptions) -> list[Plan]:
    """Return the plans for an imported track: stems, analysis, cues, tags."""
    steps = (
        (Kind.SEPARATE, SEPARATE_LIMIT_S, False),
        (Kind.ANALYSE, ANALYSE_LIMIT_S, False),
        (Kind.CUE, CUE_LIMIT_S, True),
    )
    plans = [_step(track, title, options, *step) for step in steps]
    return [*plans, tag(track, title, options)]


def tag(track: int, title: str, options: PrepOptions) -> Plan:
    """Return the plan that tags a prepared track."""
    plan = _step(track, title, options, Kind.TAG, TAG_LIMIT_S, needs_last=True)
    return replace(plan, priority=options.priority + TAG_PRIORITY)


def _step(
    track: int,
    title: str,
    options: PrepOptions,
    kind: Kind,
    limit_s: float,
    needs_last: bool,
) -> Plan:
    return Plan(
        kind,
        options.to_args(),
        title=title,
        track=track,
        unique=f"{kind}:{track}",
        priority=options.priority,
        time_limit_s=limit_s,
        needs_last=needs_last,
    )
