"""A track into stems, from file to files.

::

    file ─► decode ─► mix ─► soxr ─► engine ─► soxr ─► consistent ─► folder of files, or bundle
                      library rate   its rate          they sum to the mix

Between the arrows are mapped files in a hidden folder beside the target: memory does not grow with
the track, and a run that is killed leaves that folder, which the next one removes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfa_engine.audio.media import Cue, Separation, Track, read_bundle
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.bundle import constant_grid, facts_of, in_order
from sfa_engine.library.draft import scratch
from sfa_engine.prep.decode import RATE, Decoding
from sfa_engine.prep.mixdown import Mixdown, is_bundle, source_blocks
from sfa_engine.prep.separate import output, raw
from sfa_engine.prep.separate.choice import Wish, make_engine, resolve
from sfa_engine.prep.separate.chunks import Sound, forget
from sfa_engine.prep.separate.consistency import BLOCK_FRAMES, Null, make_consistent
from sfa_engine.prep.separate.engine import Engine
from sfa_engine.prep.separate.preview import best_place

Report = Callable[[float, str], None]

PREVIEWS_S = (1.0, 600.0)
SKETCH_WORDS = "a sketch: four stems without a four-stem model, not for performing"
# Shares of the whole work that each part of it takes, as measured with the engine embedded.
_DECODED, _SEPARATED, _CONSISTENT = 0.05, 0.85, 0.93


@dataclass(frozen=True)
class Order:
    """What to separate, and where to.

    Parameters
    ----------
    path : Path
        A sound file, or a bundle.
    out : Path, optional
        A folder to make, with a file for each stem.
    bundle : Path, optional
        A bundle to make instead, ``NAME.sfa``.
    wish : Wish
        Which engine.
    form : str
        ``wav`` or ``flac``, of files.
    preview_s : float
        Seconds of the track to take, from where most goes on; 0 for all.
    rate : int
        Hz, of the stems; a bundle that is taken apart keeps its own.
    facts : mapping
        Of the bundle: ``title, artist, bpm, first_beat_s, beats_per_bar, key, gain_db, pcm`` and
        ``cues``, as in `sfa_engine.prep.ingest.write_bundle`.
    """

    path: Path
    out: Path | None = None
    bundle: Path | None = None
    wish: Wish = field(default_factory=Wish)
    form: str = "wav"
    preview_s: float = 0.0
    rate: int = RATE
    facts: Mapping[str, Any] = field(default_factory=dict)


def separate(order: Order, report: Report) -> dict[str, Any]:
    """Separate a track; the stems are there when this returns, and not before.

    Parameters
    ----------
    order : Order
    report : callable
        Told the part that is done, 0..1, and what is being done.

    Returns
    -------
    dict
        ``engine, model, version, sketch, words, stems`` (name: path), ``frames, rate, start_s,
        null_db``, and ``quota`` where the engine has one.

    Raises
    ------
    SfaError
        Whose sentence says what is wrong with the request, the track, the model or the service.
    """
    target = order.bundle or order.out
    if target is None or (order.bundle and order.out):
        raise Refused("it is not clear where the stems go", 'give either "out" or "bundle"')
    output.check_format(order.form)
    resolve(order.wish)
    if order.preview_s and not PREVIEWS_S[0] <= order.preview_s <= PREVIEWS_S[1]:
        low, high = PREVIEWS_S
        raise Refused(f"a preview of {order.preview_s:g} s", f"give {low:g}..{high:g} s, or 0")
    if order.preview_s and order.bundle and is_bundle(order.path):
        raise Refused(
            "the grid and the cues of a bundle do not fit a preview of it",
            "make a folder of stems, or take the whole",
        )
    if order.bundle and is_bundle(order.path):  # its grid and its cues are in frames
        order = replace(order, rate=read_bundle(order.path).track.rate)
    with scratch(target) as work:
        if order.bundle:
            output.check_bundle(target)
        else:
            output.check_folder(target)
        engine = make_engine(order.wish, work, lambda part: report(0.0, _fetching(part)))
        facts, cues = _facts(order, engine)
        decoding, mix, start_s = _decoded(order, work, report)
        stems = _stems(engine, mix, order.rate, work, report)
        make_consistent(
            mix,
            stems,
            lambda part: report(_SEPARATED + (_CONSISTENT - _SEPARATED) * part, "balancing"),
        )
        parted = output.Stems(
            stems,
            order.rate,
            Separation(engine.name, engine.model, engine.version, engine.sketch),
            decoding.decoder,
            str(order.facts.get("title") or decoding.title or order.path.stem),
            str(order.facts.get("artist") or decoding.artist),
            decoding.repaired_samples,
            decoding.truncated,
            decoding.silent_seconds,
        )
        if facts:
            found = output.write_bundle(target, parted, facts, cues)
        else:
            known = {"source": order.path.name, "start_s": start_s}
            found = output.write_folder(target, parted, order.form, known)
        report(0.99, "checking")
        null_db = _null_db(mix, stems)
        report(1.0, "done")
    words = SKETCH_WORDS if engine.sketch else ""
    told: dict[str, Any] = {
        "engine": engine.name,
        "model": engine.model,
        "version": engine.version,
        "sketch": engine.sketch,
        "words": words,
        "stems": found,
        "frames": len(mix),
        "rate": order.rate,
        "start_s": start_s,
        "null_db": round(null_db, 1),
    }
    quota = getattr(engine, "quota", None)
    if quota is not None:
        told["quota"] = {"plan": quota.plan, "left_min": quota.left_min}
    return told


def _decoded(order: Order, work: Path, report: Report) -> tuple[Decoding | Mixdown, Sound, float]:
    """Return what is known of the track, its sound, and where in it that begins, in seconds."""
    decoding = source_blocks(
        order.path, order.rate, lambda part: report(_DECODED * part, "decoding")
    )
    mix = raw.write_blocks(work / "mix.raw", decoding)
    if not order.preview_s:
        return decoding, mix, 0.0
    begin, end = best_place(mix, order.rate, order.preview_s)
    forget([mix])
    return decoding, mix[begin:end], begin / order.rate


def _stems(engine: Engine, mix: Sound, rate: int, work: Path, report: Report) -> dict[str, Sound]:
    """Return the engine's stems at the library's rate, of the mix's length."""
    doing = f"separating with {engine.model}"
    span = _SEPARATED - _DECODED

    def part_of(begin: float, share: float) -> Callable[[float], None]:
        return lambda part: report(_DECODED + span * (begin + share * part), doing)

    if engine.rate == rate:
        stems = {n: raw.empty_sound(work / f"{n}.raw", len(mix)) for n in engine.stems}
        engine.separate(mix, stems, part_of(0.0, 1.0))
        return stems
    rates = (rate, engine.rate)
    source = raw.resampled(work / "source.raw", mix, rates, None, part_of(0.0, 0.03))
    given = {n: raw.empty_sound(work / f"{n}.given", len(source)) for n in engine.stems}
    engine.separate(source, given, part_of(0.03, 0.87))
    stems = {}
    for index, (name, stem) in enumerate(given.items()):
        share = 0.1 / len(given)
        told = part_of(0.9 + share * index, share)
        path = work / f"{name}.raw"
        stems[name] = raw.resampled(path, stem, rates[::-1], len(mix), told)
        (work / f"{name}.given").unlink()
    return stems


def _fetching(part: float) -> str:
    """Return words for a download; it has no share in the work's progress."""
    return f"fetching the model, {100 * part:.0f} %"


def _facts(order: Order, engine: Engine) -> tuple[Track | None, tuple[Cue, ...]]:
    """Return what is known of the bundle that is wanted: refused now, not after the work."""
    if order.bundle is None:
        return None, ()
    if is_bundle(order.path):
        return _facts_there(order, engine)
    facts = order.facts
    grid = constant_grid(
        facts.get("bpm"),
        float(facts.get("first_beat_s", 0.0)),
        int(facts.get("beats_per_bar", 4)),
        order.rate,
    )
    track = facts_of(
        in_order(dict.fromkeys(engine.stems)),
        str(facts.get("title", "")),
        str(facts.get("artist", "")),
        grid,
        facts.get("key"),
        float(facts.get("gain_db", 0.0)),
        str(facts.get("pcm", "s16")),
        order.rate,
    )
    try:
        return track, tuple(Cue(**cue) for cue in facts.get("cues", ()))
    except TypeError as problem:
        said = "position_frames, label and kind make one"
        raise MediaError(f"a cue is not as it should be: {problem}", said) from problem


def _facts_there(order: Order, engine: Engine) -> tuple[Track, tuple[Cue, ...]]:
    """Return what a bundle that is taken apart says already; its sections are set anew later."""
    there = read_bundle(order.path).track
    names = in_order(dict.fromkeys(engine.stems))
    track = facts_of(
        names,
        there.title,
        there.artist,
        there.grid,
        there.key,
        there.gain_db,
        there.pcm,
        there.rate,
    )
    known = ("album", "grid_by_hand", "uuid", "content_hash", "headroom_db")
    return replace(track, **{name: getattr(there, name) for name in known}), there.cues


def _null_db(mix: Sound, stems: Mapping[str, Sound]) -> float:
    """Return the peak of what the mix has and the stems have not, in dB of full scale."""
    null = Null()
    for begin in range(0, len(mix), BLOCK_FRAMES):
        part = slice(begin, begin + BLOCK_FRAMES)
        null.add(mix[part], {name: stem[part] for name, stem in stems.items()})
        forget([mix, *stems.values()])
    return null.peak_db
