"""`sfa journal`: the sets that were played: list, show, export."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json, printable
from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.run import config as configuration

if TYPE_CHECKING:
    from sfa_engine.engine.journal import Journal, Segment

LAST = "last"
FORMATS = ("cue", "tracks", "jsonl")


def folder() -> Path:
    """Return the folder of the journals."""
    return configuration.data_path() / "journals"


def _files() -> list[Path]:
    """Return the journals, the newest first."""
    from sfa_engine.engine.journal import SUFFIX

    found = folder().glob(f"*{SUFFIX}")
    return sorted(found, key=lambda path: path.name, reverse=True)


def read_journal(name: str) -> tuple[Path, Journal]:
    """Return a journal: a file, one in our folder by its name, or the last.

    Raises
    ------
    Refused
        There is none of this name.
    MediaError
        The file cannot be read, or is no journal.
    """
    from sfa_engine.engine.journal import SUFFIX, parse

    files = _files()
    if name == LAST:
        if not files:
            raise Refused("there is no journal yet", "play a set first")
        path = files[0]
    else:
        path = Path(name)
        if not path.exists():
            known = {file.name: file for file in files} | {file.stem: file for file in files}
            if name not in known:
                raise Refused(
                    f'no journal "{name}"', did_you_mean(name, known) or "see `sfa journal list`"
                )
            path = known[name]
    try:
        return path, parse(path.read_bytes())
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}", f"name a journal, *{SUFFIX}") from None
    except MediaError as error:
        raise MediaError(f"{path} {error.message}", error.hint) from None


@click.group()
def journal() -> None:
    """Sets that were played, as the engine wrote them down."""


@journal.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the journals, the newest first."""
    rows = []
    for path in _files():
        try:
            rows.append(_summary(*read_journal(str(path))))
        except (MediaError, Refused) as error:
            rows.append({"name": path.stem, "error": error.message})
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("no set was played yet")
    for row in rows:
        if "error" in row:
            click.echo(f"{row['name']}  {printable(row['error'])}")
            continue
        damaged = "  damaged" if row["damage"] else ""
        tracks = f"{row['tracks']} track{'' if row['tracks'] == 1 else 's'}"
        click.echo(f"{row['name']}  {_clock(row['length_s'])}  {tracks}{damaged}")


def _summary(path: Path, parsed: Journal) -> dict[str, Any]:
    from sfa_engine.engine.set_list import set_list

    return {
        "name": path.stem,
        "path": str(path),
        "began_s": parsed.head.get("began_s"),
        "length_s": sum((s.end_frame - s.first_frame) / s.rate for s in parsed.segments),
        "hosts": len(parsed.segments),
        "tracks": len(set_list(parsed)),
        "damage": parsed.damage,
    }


@journal.command()
@click.argument("name", default=LAST)
@click.option("--commands", is_flag=True, help="Every command, with its time and source.")
@json_option
def show(name: str, commands: bool, as_json: bool) -> None:
    """Show a journal: where it was played, its tracks, and what was done. Default: the last."""
    from sfa_engine.engine.set_list import set_list

    path, parsed = read_journal(name)
    hosts = [
        {key: s.host.get(key) for key in ("began_s", "version", "kernel", "cpu", "rate", "block")}
        | {"length_s": (s.end_frame - s.first_frame) / s.rate, "lost": s.lost}
        for s in parsed.segments
    ]
    counts = Counter(event["what"] for event in events(parsed) if event["result"] == "applied")
    tracks = [
        {"time_s": time_s, "deck": t.deck, "title": t.title, "artist": t.artist, "path": t.path}
        for time_s, t in timed(parsed, set_list(parsed))
    ]
    if as_json:
        shown = _summary(path, parsed) | {"hosts": hosts, "tracks": tracks, "counts": counts}
        print_json(shown | ({"commands": list(events(parsed))} if commands else {}))
        return
    click.echo(str(path))
    if parsed.damage:
        click.echo(f"damaged: {parsed.damage}; what is before is whole")
    for host in hosts:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(host["began_s"] or 0)))
        length = _clock(float(host["length_s"] or 0))
        click.echo(
            f"{began}  {length}  {host['rate']:g} Hz  version {host['version']}, "
            f"kernel {host['kernel']}, {host['cpu']}"
        )
        if host["lost"]:
            click.echo(f"  {host['lost']} reports were lost")
    for track in tracks:
        title = " - ".join(filter(None, (track["artist"], track["title"]))) or track["path"]
        click.echo(f"  {_clock(track['time_s'])}  deck {track['deck']}  {printable(title)}")
    if commands:
        for event in events(parsed):
            click.echo(_line(event))
    else:
        for what, count in counts.most_common(10):
            click.echo(f"  {count:6d} x {what}")


@journal.command()
@click.argument("name", default=LAST)
@click.option("--format", "form", type=click.Choice(FORMATS), default="tracks", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: the terminal.")
@click.option("--file", default="set.wav", help="Sound file that a cue sheet names.")
def export(name: str, form: str, output: Path | None, file: str) -> None:
    """Export a journal: a cue sheet, a list of tracks, or all it has as JSON lines."""
    from sfa_engine.engine.set_list import cue_sheet, set_list, track_list

    _, parsed = read_journal(name)
    if form == "jsonl":
        text = "".join(json.dumps(event) + "\n" for event in events(parsed))
    else:
        tracks = timed(parsed, set_list(parsed))
        text = cue_sheet(tracks, file) if form == "cue" else track_list(tracks)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise MediaError(f"{output}: {error.strerror}", "choose another path") from None


def timed(parsed: Journal, tracks: list[Any]) -> list[tuple[float, Any]]:
    """Return tracks with their times since the set began, in seconds."""
    if not parsed.segments:
        return []
    first, rate = parsed.segments[0].first_frame, parsed.segments[0].rate
    return [((track.frame - first) / rate, track) for track in tracks]


def events(parsed: Journal) -> Iterator[dict[str, Any]]:
    """Yield what happened: applied and refused commands, loads, starved frames, late blocks."""
    from sfa_engine.engine.command import ReportKind

    if not parsed.segments:
        return
    first, rate = parsed.segments[0].first_frame, parsed.segments[0].rate
    for segment in parsed.segments:
        for report in segment.reports:
            kind = ReportKind(int(report["kind"]))
            if kind is ReportKind.TAKEN:
                continue
            event = {
                "frame": int(report["frame"]),
                "time_s": round((int(report["frame"]) - first) / rate, 6),
                "result": kind.name.lower(),
                "source": source_name(int(report["source"])),
            }
            yield event | _what(parsed, segment, report, kind)


def _what(parsed: Journal, segment: Segment, report: Any, kind: Any) -> dict[str, Any]:
    """Return what a report is about."""
    from sfa_engine.engine.command import NO_OP, Reason, ReportKind

    deck, op = int(report["deck"]) + 1, int(report["op"])
    name = parsed.name_of_op(op)
    what: dict[str, Any] = {"what": kind.name.lower(), "deck": deck}
    if kind is ReportKind.CHANGED:
        return {
            "what": parsed.path_of_value(int(report["value_index"])),
            "value": float(report["value"]),
        }
    if op == NO_OP:
        return what | {"value": float(report["value"])}
    if name == "SET":
        what = {"what": parsed.path_of_value(int(report["target"])), "value": float(report["x"])}
    else:
        what = {
            "what": name.lower() or f"operation {op}",
            "deck": deck,
            "target": int(report["target"]),
            "value": float(report["x"]),
        }
        load = segment.loads.get(int(report["ticket"])) if name == "LOAD" else None
        if load is not None:
            track = load["track"] or {}
            what |= {key: track.get(key) for key in ("path", "digest", "title", "artist")}
        pad = segment.pads.get(int(report["ticket"])) if name == "SAMPLE" else None
        if pad is not None:
            sound = pad["sound"] or {}
            what = (
                {"what": "pad", "value": pad["pad"] + 1}
                | {key: sound.get(key) for key in ("path", "stems", "start", "frames", "digest")}
                | {"title": sound.get("label", "")}
            )
    if report["reason"]:
        reason = int(report["reason"])
        known = reason in {r.value for r in Reason}
        what["reason"] = Reason(reason).name.lower() if known else str(reason)
    return what


def source_name(source: int) -> str:
    """Return who sent a command."""
    from sfa_engine.engine.command import Source

    if source >= Source.OSC:
        return "osc"
    if source >= Source.SOCKET:
        return "socket"
    if source >= Source.MIDI:
        return "midi"
    return {0: "engine", 1: "host", 2: "stage"}.get(source, str(source))


def _line(event: dict[str, Any]) -> str:
    value = event.get("value")
    parts = [f"{event['time_s']:11.4f}", f"{event['source']:7}", str(event["what"])]
    if "deck" in event:
        parts.append(f"deck{event['deck']}")
    if value is not None:
        parts.append(f"{value:g}")
    if event["result"] not in {"applied", event["what"]}:
        parts.append(event["result"])
    if event.get("reason"):
        parts.append(str(event["reason"]))
    if event.get("title"):
        parts.append(printable(str(event["title"])))
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
