"""Describe the session clock and its sources."""

from __future__ import annotations

from typing import Any

from sfa_engine.desk import CONTROLS, DECK_NUMBERS, DECKS
from sfa_engine.engine.command import ClockSource
from sfa_engine.engine.midi import SLOTS
from sfa_engine.stage.conductor import Conductor, readings_of

PER_BEAT = 24  # ticks of MIDI clock
CLOCK = DECKS + 1  # in `following`: the session's clock


def describe_clocks(conductor: Conductor) -> dict[str, Any]:
    """Return the session clock, and each source with tempo, jitter and lock.

    Returns
    -------
    dict
        ``source``, ``followed`` (a source, or None), ``tempo`` (BPM), ``beat``, ``bar`` (from 1),
        ``phase_error_ms``, ``running``, ``decks`` that follow the clock, and ``sources``: a list of
        ``name``, ``tempo``, ``jitter_ms``, ``locked`` and ``note``; None where unknown.
    """
    engine, get = conductor.memory.engine, conductor.get
    readings = readings_of(conductor.memory)
    words = CONTROLS["clock.source"].options  # type: ignore[attr-defined]
    source, followed = int(get("clock.source")), int(engine["clock_followed"])
    tempo = readings["clock.current"]
    phase_s = readings["clock.phase_error"] * 60 / tempo if tempo else 0.0
    beats_per_bar = max(1, int(get("clock.beats_per_bar")))
    in_bars = readings["clock.beat"] - int(engine["clock_downbeat"])
    following = [int(machine["following"]) for machine in engine["transport"]]
    return {
        "source": words[source],
        "followed": words[followed] if followed else None,
        "locked": bool(readings["clock.locked"]),
        "running": bool(readings["clock.running"]),
        "tempo": tempo,
        "beat": readings["clock.beat"],
        "bar": int(in_bars // beats_per_bar) + 1,
        "beat_of_bar": in_bars % beats_per_bar + 1,
        "phase_error_ms": 1000 * phase_s,
        "decks": [number for number in DECK_NUMBERS if following[number - 1] == CLOCK],
        "midi_in": bool(get("clock.midi_in")),
        "midi_out": bool(get("clock.midi_out")),
        "link": bool(get("clock.link")),
        "sources": [
            _row("internal", get("clock.tempo"), locked=True),
            *(_deck(readings, number) for number in DECK_NUMBERS),
            _leader(readings, int(engine["lead"])),
            *_midi(conductor),
            _link(conductor),
        ],
    }


def _row(
    name: str,
    tempo: float | None = None,
    jitter_ms: float | None = None,
    *,
    locked: bool = False,
    note: str = "",
) -> dict[str, Any]:
    return {
        "name": name,
        "tempo": tempo or None,
        "jitter_ms": jitter_ms,
        "locked": locked,
        "note": note,
    }


def _deck(readings: dict[str, float], number: int) -> dict[str, Any]:
    tempo = readings[f"deck{number}.tempo"]
    is_loaded = bool(readings[f"deck{number}.loaded"])
    note = "" if tempo else "no beat grid" if is_loaded else "empty"
    return _row(f"deck{number}", tempo, locked=bool(tempo), note=note)


def _leader(readings: dict[str, float], lead: int) -> dict[str, Any]:
    if not lead:
        return _row("leader", note="no deck leads")
    return _row("leader", readings[f"deck{lead}.tempo"], locked=True, note=f"deck{lead}")


def _midi(conductor: Conductor) -> list[dict[str, Any]]:
    """Return a row for each port whose clock is enabled, or one with the reason for their lack."""
    engine = conductor.memory.engine
    rate = float(engine["sample_rate"])
    is_source = int(engine["clock_followed"]) == ClockSource.MIDI
    rows = []
    for slot in range(SLOTS):
        port, clock = engine["midi"]["slots"][slot], engine["midi_clock"][slot]
        if not (port["open"] and port["clock_in"]):
            continue
        period = float(clock["period"])
        words = [port["name"].decode(errors="replace") or f"port {slot + 1}"]
        words += ["followed"] if clock["elected"] and is_source else []
        words += [f"{clock[name]} {name}" for name in ("missing", "doubled") if clock[name]]
        rows.append(
            _row(
                "midi",
                60 * rate / (PER_BEAT * period) if period else None,
                float(clock["jitter"]) / rate * 1000 if period else None,
                locked=bool(clock["locked"]),
                note=", ".join(words),
            )
        )
    if not conductor.get("clock.midi_in"):
        return [_row("midi", note="clock.midi_in is off")]
    return rows or [
        _row("midi", note="no device that clock_in names, in section [midi] of the configuration")
    ]


def _link(conductor: Conductor) -> dict[str, Any]:
    if not conductor.get("clock.link"):
        return _row("link", note="clock.link is off")
    peers = int(conductor.get("clock.link_peers"))
    note = f"{peers} peer{'' if peers == 1 else 's'}"
    return _row("link", conductor.get("clock.link_tempo"), locked=peers > 0, note=note)
