"""`lalalai`: separation by LALAL.AI, a paid service; the track leaves this machine.

The track is uploaded once, as FLAC, and one stem after another is parted from it; `other` is what
remains, or `mid` and `side` of it. The service is `lalalai_api`; this knows sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from sfa_engine.errors import MediaError, Refused, SfaError, WorkerError, did_you_mean
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.prep.separate.chunks import Progress, Sound, forget
from sfa_engine.prep.separate.lalalai_api import Quota
from sfa_engine.prep.separate.licence import open_service

RATE = 44_100
AGAIN = "another try uploads the song again and costs its minutes again"
STANDARD = "vocals,drums,bass"
BLOCK_FRAMES = 1 << 16
STEM, BACK = "stem_track", "back_track"  # of a split: what was asked for, and what remains
STEMS: Mapping[str, tuple[str, str]] = {  # our name: the service's split, and its track
    "vocals": ("vocals", STEM),
    "drums": ("drum", STEM),
    "bass": ("bass", STEM),
    "piano": ("piano", STEM),
    "guitar": ("electric_guitar", STEM),
    "acoustic_guitar": ("acoustic_guitar", STEM),
    "synthesizer": ("synthesizer", STEM),
    "strings": ("strings", STEM),
    "wind": ("wind", STEM),
    "voice": ("voice", STEM),
    "noise": ("voice", BACK),  # the service parts a voice from noise, in one split
}
MID, SIDE = "mid", "side"  # of what the service leaves; made here, without minutes
NAMES = (*STEMS, MID, SIDE)


class TakenError(WorkerError):
    """What failed when the service may have had the upload: all of it again would cost again."""

    code = "taken"


class Lalalai:
    """The engine in the cloud.

    Parameters
    ----------
    stems : str
        Which of `NAMES`, with commas between; empty for `STANDARD`.
    folder : Path
        For what is sent and received.
    url : str
        Where the service is; empty for the environment's or its own.
    secret : (str, str)
        Name and folder of an account's licence key; empty for the machine's.

    Raises
    ------
    Refused
        If there is no licence key, or no such stem.
    """

    name = "lalalai"
    version = "API 0"
    sketch = False
    rate = RATE

    def __init__(
        self, stems: str, folder: Path, url: str = "", secret: tuple[str, str] = ("", "")
    ) -> None:
        self.model = stems or STANDARD
        self._wanted = [stem.strip() for stem in self.model.split(",")]
        for stem in self._wanted:
            if stem not in NAMES or self._wanted.count(stem) > 1:
                raise Refused(
                    f'LALAL.AI has no stem "{stem:.40}", or it is asked for twice',
                    did_you_mean(stem, NAMES) or f"it has {', '.join(NAMES)}",
                )
        self._parted = [stem for stem in self._wanted if stem in STEMS]
        if not self._parted:
            raise Refused(
                f"{' and '.join(self._wanted)} are of what the service leaves",
                f"add one of {', '.join(STEMS)}",
            )
        # one split may give two stems
        self._splits: dict[str, list[str]] = {}
        for stem in self._parted:
            self._splits.setdefault(STEMS[stem][0], []).append(stem)
        whole = {MID, SIDE} <= set(self._wanted)  # then nothing else remains
        self.stems = (*self._wanted,) if whole else (*self._wanted, "other")
        self.quota: Quota | None = None
        self._folder = folder
        self._gain = 1.0  # of what is sent
        self._service = open_service(url, *secret)

    def separate(self, mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Separate a mix; see `sfa_engine.prep.separate.engine.Engine`."""
        try:
            file = self._uploaded(mix, lambda part: progress(0.2 * part))
            try:
                for index, (split, names) in enumerate(self._splits.items()):

                    def report(part: float, index: int = index) -> None:
                        progress(0.2 + 0.8 * (index + part) / len(self._splits))

                    self._one(file, split, {name: stems[name] for name in names}, report)
            except BaseException:  # a person's Ctrl-C and a kill with a signal too
                self._service.cancel(file)
                raise
        except (Refused, MediaError):
            raise
        except Exception as problem:
            if self._service.taken:
                raise _taken(problem) from problem
            raise
        finally:
            self._service.close()
        for begin in range(0, len(mix), BLOCK_FRAMES):
            part = slice(begin, begin + BLOCK_FRAMES)
            left = mix[part] - sum(stems[name][part] for name in self._parted)
            mid = left.mean(axis=1, keepdims=True)
            for name, sound in ((MID, mid), (SIDE, left - mid)):
                if name in self._wanted:
                    stems[name][part] = sound
                    left = left - sound
            if "other" in stems:
                stems["other"][part] = left
            forget([mix, *stems.values()])

    def _uploaded(self, mix: Sound, progress: Progress) -> str:
        """Upload a mix, if the licence has minutes for it; return the service's name for it."""
        self.quota = self._service.quota()
        minutes = len(mix) / RATE / 60.0 * len(self._splits)
        if self.quota.left_min < minutes:
            raise Refused(
                f"this takes {minutes:.2f} minutes, and the LALAL.AI licence "
                f"({self.quota.plan}) has {self.quota.left_min:.2f} left",
                "take fewer stems or a preview, or buy minutes",
            )
        upload = self._folder / "mix.flac"
        self._gain = _write_flac(upload, mix)
        file = self._service.upload(upload, progress)
        upload.unlink()
        return file

    def _one(self, file: str, split: str, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Have one split made, and fetch the stems that it gives."""
        self._service.split(file, split)
        found = self._service.run_to_completion(file, lambda part: progress(0.8 * part))
        for index, (name, stem) in enumerate(stems.items()):

            def report(part: float, index: int = index) -> None:
                progress(0.8 + 0.2 * (index + part) / len(stems))

            path = self._folder / f"{name}.download"
            self._service.download(found[STEMS[name][1]], path, report)
            at = 0
            for block in decode_blocks(path, RATE):
                kept = block[: len(stem) - at]
                stem[at : at + len(kept)] = kept / self._gain
                at += len(kept)
            path.unlink()


def _taken(problem: Exception) -> TakenError:
    """Return the error for what failed once the service may have had the upload."""
    if isinstance(problem, SfaError):
        return TakenError(problem.message, f"{problem.hint}; {AGAIN}")
    return TakenError(f"LALAL.AI has the song, but: {type(problem).__name__}: {problem}", AGAIN)


def _write_flac(path: Path, mix: Sound) -> float:
    """Write a mix to be sent, 16 bits; return the gain that keeps it within full scale."""
    blocks = range(0, len(mix), BLOCK_FRAMES)
    peak = max(float(np.abs(mix[begin : begin + BLOCK_FRAMES]).max()) for begin in blocks)
    gain = 1.0 / max(1.0, peak)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16", format="FLAC") as file:
        for begin in blocks:
            file.write(mix[begin : begin + BLOCK_FRAMES] * gain)
            forget([mix])
    return gain
