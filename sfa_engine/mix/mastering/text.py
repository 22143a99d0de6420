"""A mastering result as text: what `sfa master` prints and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sfa_engine.mix.mastering.platforms import CLUB_LUFS
from sfa_engine.system.timecode import clock

BAND_WORDS = {
    "below_120": "below 120 Hz",
    "120_to_500": "120 to 500 Hz",
    "500_to_4k": "0.5 to 4 kHz",
    "4k_to_11k": "4 to 11 kHz",
    "above_11k": "above 11 kHz",
}
INDENT = 15


def as_text(answer: Mapping[str, Any]) -> list[str]:
    """Return the lines of a mastering result; see `sfa_engine.prep.master.mastering.master`."""
    lines = [answer["path"], *report_lines(answer["source"])]
    result = answer["result"]
    aim = answer["aim"]
    target = "as loud as it is" if aim["target_lufs"] is None else f"{aim['target_lufs']:g} LUFS"
    head = "chain" if result else "chain, not applied"
    lines += ["", f"{head} ({aim['preset']}: {target}, {aim['ceiling_dbtp']:g} dBTP)"]
    lines += step_lines(answer["chain"])
    if result is not None:
        lines += ["", result["file"], *report_lines(result)]
        if result["limited_db"] >= 0.05:
            lines.append(_row("limiter", f"took {result['limited_db']:.1f} dB at most"))
        if result["compressed_db"] >= 0.05:
            lines.append(_row("compressor", f"took {result['compressed_db']:.1f} dB at most"))
    compare = answer["compare"]
    if compare is not None:
        lines += [
            "",
            f"compare at {compare['lufs']:.1f} LUFS, {clock(compare['start_s'])} on:",
            f"  {compare['before']}",
            f"  {compare['after']}",
        ]
    return lines


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a report as lines."""
    channels = report["channels"]
    lines = [
        _row(
            "sound",
            f"{clock(report['duration_s'])}, {report['rate'] / 1000:g} kHz, "
            f"{channels} channel{'s' if channels > 1 else ''}",
        )
    ]
    if report["plr_db"] is not None:  # not silence
        lines += _measures(report)
        lines += _platforms(report)
    return lines + [_row("note", remark) for remark in report["remarks"]]


def step_lines(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a chain as lines, numbered."""
    if not steps:
        return ["  nothing is needed"]
    return [f"  {n} {step_words(step)}: {step['reason']}" for n, step in enumerate(steps, 1)]


def _measures(report: Mapping[str, Any]) -> list[str]:
    psr = "" if report["psr_db"] is None else f", PSR {report['psr_db']:.1f} dB"
    shares = ", ".join(
        f"{100 * share:.{0 if share >= 0.1 else 1}f} % {BAND_WORDS[name]}"
        for name, share in report["shares"].items()
    )
    stereo = [
        f"{name} {report[key]:.2f}"
        for name, key in (("correlation", "correlation"), ("below 120 Hz", "low_correlation"))
        if report[key] is not None
    ]
    stereo.append(f"{report['mono_loss_lu']:.1f} LU lost in mono")
    peaks = (
        f"{report['true_peak_dbtp']:+.1f} dBTP, samples {report['sample_peak_dbfs']:+.1f} dBFS; "
        f"PLR {report['plr_db']:.1f} dB{psr}"
    )
    encoded = report["encoded"]
    if encoded is not None:
        peaks += f"; after {encoded['codec']} {encoded['true_peak_dbtp']:+.1f} dBTP"
    slope = report["slope_db_per_octave"]
    lines = [
        _row(
            "loudness",
            f"{report['integrated_lufs']:.1f} LUFS, short-term {report['short_max_lufs']:.1f} "
            f"at {clock(report['loudest_s'])}, momentary {report['momentary_max_lufs']:.1f}, "
            f"range {report['range_lu']:.1f} LU",
        ),
        _row("peaks", peaks),
        _row("power", shares),
    ]
    if slope is not None:
        lines.append(_row("slope", f"{slope:+.1f} dB an octave, 100 Hz to 4 kHz"))
    lines.append(_row("stereo", ", ".join(stereo)))
    offset = max(abs(each) for each in report["dc"])
    lines.append(
        _row(
            "faults",
            f"offset {100 * offset:.2f} %, {report['clipped_runs']} clipped runs",
        )
    )
    return lines


def _platforms(report: Mapping[str, Any]) -> list[str]:
    lines = [
        _row(each["platform"], f"{each['level_lufs']:g} LUFS: {each['sentence']}")
        for each in report["platforms"]
    ]
    low, high = CLUB_LUFS
    lines.append(_row("broadcast", report["broadcast"]))
    loud = report["integrated_lufs"]
    place = "among" if low <= loud <= high else "louder than" if loud > high else "quieter than"
    lines.append(_row("clubs", f"{place} masters in use there, {low:g} to {high:g} LUFS"))
    return lines


def _row(name: str, words: str) -> str:
    return f"  {name:{INDENT}} {words}"


def step_words(step: Mapping[str, Any]) -> str:
    """Return a step of a chain in words: ``gain -2.3 dB``."""
    kind = step["kind"]
    if kind == "high_pass":
        return f"high-pass {step['hz']:g} Hz"
    if kind == "equaliser":
        bands = ", ".join(
            f"{band['shape'].replace('_', ' ')} {band['hz']:g} Hz {band['gain_db']:+.1f} dB"
            for band in step["bands"]
        )
        return f"equaliser {bands}"
    if kind == "mono_bass":
        return f"bass to mono below {step['hz']:g} Hz"
    if kind == "compressor":
        return (
            f"compressor {step['ratio']:g}:1 from {step['threshold_db']:g} dB, "
            f"{step['attack_ms']:g} ms, at most {step['most_db']:g} dB"
        )
    if kind == "width":
        return f"side {step['gain_db']:+.1f} dB"
    if kind == "gain":
        return f"gain {step['gain_db']:+.1f} dB"
    return f"limiter {step['ceiling_dbtp']:g} dBTP"
