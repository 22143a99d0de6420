"""Separation of a track, from file to files.

::

    file ─► decode ─► mix ─► soxr ─► engine ─► soxr ─► consistent ─► folder of files, or bundle
                      library rate   its rate          they sum to the mix

Between the steps are mapped files in a temporary folder beside the target: memory does not grow
with the track, and the folder of a killed run is deleted by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.bundle import constant_grid, in_order, new_track
from sfa_engine.prep.decode import Decoding
from sfa_engine.prep.mixdown import Mixdown, is_bundle, source_blocks
from sfa_engine.prep.separate import output, raw
from sfa_engine.prep.separate.choice import EngineChoice, make_engine, resolve
from sfa_engine.prep.separate.chunks import Sound, forget
from sfa_engine.prep.separate.consistency import BLOCK_FRAMES, Null, make_consistent
from sfa_engine.prep.separate.engine import Engine
from sfa_engine.prep.separate.preview import best_place, within_whole
from sfa_engine.system.atomic import temporary_directory
from sfa_engine.track.media import RATE, Cue, Separation, Track, read_bundle

Report = Callable[[float, str], None]

PREVIEWS_S = (1.0, 600.0)
SKETCH_WORDS = "a sketch: four stems without a four-stem model, not for performing"
# Shares of the whole work that each part of it takes, as measured with the engine embedded.
_DECODED, _SEPARATED, _CONSISTENT = 0.05, 0.85, 0.93


@dataclass(frozen=True)
class SeparationRequest:
    """What to separate, and where to.

    Parameters
    ----------
    path : Path
        A sound file, or a bundle.
    out : Path, optional
        A folder to make, with a file for each stem.
    bundle : Path, optional
        A bundle to make instead, ``NAME.sfa``.
    choice : EngineChoice
        Which engine.
    form : str
        ``wav`` or ``flac``, of files.
    preview_s : float
        Length of the busiest part to separate; 0 for all. Stems of a bundle that go into a bundle
        have its whole length: outside the part, `other` is the mix.
    rate : int
        Hz, of the stems; a bundle keeps its own.
    facts : mapping
        Of the bundle: ``title, artist, bpm, first_beat_s, beats_per_bar, key, gain_db, pcm`` and
        ``cues``, as in `sfa_engine.prep.bundle_writer.write_bundle`.
    """

    path: Path
    out: Path | None = None
    bundle: Path | None = None
    choice: EngineChoice = field(default_factory=EngineChoice)
    form: str = "wav"
    preview_s: float = 0.0
    rate: int = RATE
    facts: Mapping[str, Any] = field(default_factory=dict)


def separate(request: SeparationRequest, report: Report) -> dict[str, Any]:
    """Separate a track; the stems appear together at the end.

    Parameters
    ----------
    request : SeparationRequest
    report : callable
        Called with the part done, 0..1, and what is being done.

    Returns
    -------
    dict
        ``engine, model, version, sketch, words, stems`` (name: path), ``frames, rate, start_s,
        end_s, null_db``, and ``quota`` where the engine has one.

    Raises
    ------
    SfaError
        The request, the track, the model or the service is invalid.
    """
    target = request.bundle or request.out
    if target is None or (request.bundle and request.out):
        raise Refused("no single target for the stems", 'give either "out" or "bundle"')
    output.check_format(request.form)
    resolve(request.choice)
    if request.preview_s and not PREVIEWS_S[0] <= request.preview_s <= PREVIEWS_S[1]:
        low, high = PREVIEWS_S
        raise Refused(
            f"invalid preview of {request.preview_s:g} s", f"give {low:g}..{high:g} s, or 0"
        )
    if request.bundle and is_bundle(request.path):  # its grid and its cues are in frames
        request = replace(request, rate=read_bundle(request.path).track.rate)
    with temporary_directory(target) as work:
        if request.bundle:
            output.check_bundle(target)
        else:
            output.check_folder(target)
        engine = make_engine(request.choice, work, lambda part: report(0.0, _fetching(part)))
        facts, cues = _facts(request, engine)
        decoding, whole, (begin, end) = _decoded(request, work, report)
        mix, start_s = whole[begin:end], begin / request.rate
        stems = _stems(engine, mix, request.rate, work, report)
        make_consistent(
            mix,
            stems,
            lambda part: report(_SEPARATED + (_CONSISTENT - _SEPARATED) * part, "balancing"),
        )
        span = None
        if request.preview_s and request.bundle and is_bundle(request.path):
            # Its grid and its cues are those of the whole track.
            mix, stems = whole, within_whole(whole, stems, begin, request.rate, work)
            span = (begin, end)
        separated = output.Stems(
            stems,
            request.rate,
            Separation(engine.name, engine.model, engine.version, engine.sketch, span),
            decoding.decoder,
            str(request.facts.get("title") or decoding.title or request.path.stem),
            str(request.facts.get("artist") or decoding.artist),
            decoding.repaired_samples,
            decoding.truncated,
            decoding.silent_seconds,
        )
        if facts:
            found = output.write_bundle(target, separated, facts, cues)
        else:
            known = {"source": request.path.name, "start_s": start_s}
            found = output.write_folder(target, separated, request.form, known)
        report(0.99, "checking")
        null_db = _null_db(mix, stems)
        report(1.0, "done")
    words = SKETCH_WORDS if engine.sketch else ""
    answer: dict[str, Any] = {
        "engine": engine.name,
        "model": engine.model,
        "version": engine.version,
        "sketch": engine.sketch,
        "words": words,
        "stems": found,
        "frames": len(mix),
        "rate": request.rate,
        "start_s": start_s,
        "end_s": end / request.rate,
        "null_db": round(null_db, 1),
    }
    quota = getattr(engine, "quota", None)
    if quota is not None:
        answer["quota"] = {"plan": quota.plan, "left_min": quota.left_min}
    return answer


def _decoded(
    request: SeparationRequest, work: Path, report: Report
) -> tuple[Decoding | Mixdown, Sound, tuple[int, int]]:
    """Return what is known of the track, its sound, and the part of it to separate, in frames."""
    decoding = source_blocks(
        request.path, request.rate, lambda part: report(_DECODED * part, "decoding")
    )
    mix = raw.write_blocks(work / "mix.raw", decoding)
    if not request.preview_s:
        return decoding, mix, (0, len(mix))
    span = best_place(mix, request.rate, request.preview_s)
    forget([mix])
    return decoding, mix, span


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
        answer = part_of(0.9 + share * index, share)
        path = work / f"{name}.raw"
        stems[name] = raw.resampled(path, stem, rates[::-1], len(mix), answer)
        (work / f"{name}.given").unlink()
    return stems


def _fetching(part: float) -> str:
    """Return words for a download; it has no share in the work's progress."""
    return f"fetching the model, {100 * part:.0f} %"


def _facts(request: SeparationRequest, engine: Engine) -> tuple[Track | None, tuple[Cue, ...]]:
    """Return what is known of the bundle that is wanted: refused now, not after the work."""
    if request.bundle is None:
        return None, ()
    if is_bundle(request.path):
        return _facts_there(request, engine)
    facts = request.facts
    grid = constant_grid(
        facts.get("bpm"),
        float(facts.get("first_beat_s", 0.0)),
        int(facts.get("beats_per_bar", 4)),
        request.rate,
    )
    track = new_track(
        in_order(dict.fromkeys(engine.stems)),
        str(facts.get("title", "")),
        str(facts.get("artist", "")),
        grid,
        facts.get("key"),
        float(facts.get("gain_db", 0.0)),
        str(facts.get("pcm", "s16")),
        request.rate,
    )
    try:
        return track, tuple(Cue(**cue) for cue in facts.get("cues", ()))
    except TypeError as problem:
        said = "position_frames, label and kind make one"
        raise MediaError(f"a cue is not as it should be: {problem}", said) from problem


def _facts_there(request: SeparationRequest, engine: Engine) -> tuple[Track, tuple[Cue, ...]]:
    """Return the manifest facts and cues of a bundle; its sections are analysed again later."""
    there = read_bundle(request.path).track
    names = in_order(dict.fromkeys(engine.stems))
    track = new_track(
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
    return structs.replace(track, **{name: getattr(there, name) for name in known}), there.cues


def _null_db(mix: Sound, stems: Mapping[str, Sound]) -> float:
    """Return the peak of what the mix has and the stems have not, in dB of full scale."""
    null = Null()
    for begin in range(0, len(mix), BLOCK_FRAMES):
        part = slice(begin, begin + BLOCK_FRAMES)
        null.add(mix[part], {name: stem[part] for name, stem in stems.items()})
        forget([mix, *stems.values()])
    return null.peak_db
