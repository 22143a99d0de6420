"""Sound files into bundles: decoded stem by stem, written whole or not at all.

`sfa_engine.library.bundle` writes; this knows how the sound is come by.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import constant_grid, in_order, new_track, write_stems
from sfa_engine.prep.decode import Decoding, decode_blocks
from sfa_engine.track.media import RATE, Cue
from sfa_engine.track.wav import CHANNELS, PCM

Progress = Callable[[float], None]


def write_bundle(
    target: str | Path,
    sources: Mapping[str, Path],
    *,
    title: str,
    artist: str,
    bpm: float | None,
    first_beat_s: float = 0.0,
    beats_per_bar: int = 4,
    key: str | None = None,
    gain_db: float = 0.0,
    cues: Sequence[Cue] = (),
    pcm: str = "s16",
    rate: int = RATE,
    longest_s: float | None = None,
    progress: Progress | None = None,
) -> Path:
    """Decode stem files into a bundle, which appears whole or not at all.

    Parameters
    ----------
    target : str or Path
        The folder to make, ``NAME.sfa``. A bundle that is there is replaced.
    sources : mapping of str to Path
        A sound file for each stem name; see `stem_sources`. They may differ by a second in
        length: the shorter ones end in silence.
    title, artist : str
        Where empty, the tags of the sources are taken, or for the title the folder's name.
    bpm : float, optional
        Tempo of a constant grid, 20..400; None: no beats are known.
    first_beat_s : float
        Time of a downbeat, in seconds from the start; it becomes beat 0.
    beats_per_bar : int
        1..32.
    key : str, optional
        Any spelling that `parse_key` reads.
    gain_db : float
        Brings the track to the common loudness.
    cues : sequence of Cue
        In frames at `rate`.
    pcm : str
        ``"s16"``: rounded to 16 bits, no dither; lower where a peak exceeds full scale, and the
        gain as much higher. ``"f32"``: as decoded.
    rate : int
        Hz, of the bundle.
    longest_s : float, optional
        Seconds; longer sources are refused.
    progress : callable, optional
        Called with the part that is done, 0..1.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    MediaError
        If a value is out of range, a source cannot be read, lengths differ by more than a
        second, or the folder cannot be written.
    """

    def share(index: int) -> Progress | None:
        return progress and (lambda part: progress((index + part) / len(sources)))

    names = in_order(sources)
    grid = constant_grid(bpm, first_beat_s, beats_per_bar, rate)
    facts = new_track(names, title, artist, grid, key, gain_db, pcm, rate)
    parts = {
        name: decode_blocks(sources[name], rate, share(i), longest_s)
        for i, name in enumerate(names)
    }
    _check_space(Path(target), parts, rate, PCM[pcm].itemsize)
    return write_stems(Path(target), parts, facts, cues)


def _check_space(target: Path, parts: Mapping[str, Decoding], rate: int, sample_bytes: int) -> None:
    """Raise MediaError if the disk cannot hold what the sources say they have."""
    seconds = sum(part.stated_seconds or 0.0 for part in parts.values())
    wanted = seconds * rate * CHANNELS * sample_bytes
    folder = next(folder for folder in target.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise MediaError(
            f'no room in "{folder}": {wanted / 1e6:.0f} MB are wanted, {free / 1e6:.0f} MB free',
            "free some, or set the library's folder to another disk",
        )
