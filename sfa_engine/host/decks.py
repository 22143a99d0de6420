"""The tracks on the decks: loaded, ejected, resumed after a restart, and read again when told to.

One lock a deck is held while its track is replaced; requests and the resume thread may want that.
A disk that hangs therefore holds one deck, never the other or the sound.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import structs, to_builtins

from sfa_engine.engine.layout import DECKS, NO_SOURCE
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, MediaError, Refused
from sfa_engine.host.loader import AHEAD_S, Loader, Mounted, read_onsets
from sfa_engine.host.request_server import in_words
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import signature
from sfa_engine.track.media import Bundle, Track, read_bundle

BEFORE_S = 1.0  # of a track that goes on, in memory behind its head
RESUME_TIMEOUT_S = 0.3  # that a device waits for the tracks of the previous host
# What a bundle may say anew of a track that plays; hot cues are the stage's, sound is read once.
REFRESHED = ("title", "artist", "album", "key", "grid", "grid_by_hand", "uuid")
GRID_FIELDS = ("grid", "grid_by_hand")
MAX_PATH_BYTES = 1023  # of a bundle, in the engine's memory


class Decks:
    """Owns which track is on which deck.

    Parameters
    ----------
    memory : Memory
    loader : Loader
    """

    def __init__(self, memory: Memory, loader: Loader) -> None:
        self.memory = memory
        self.loader = loader
        self._tracks: dict[int, Bundle] = {}
        self._errors: dict[int, str] = {}
        self._deck_mutex = [threading.Lock() for _ in range(DECKS)]

    # ------------------------------------------------------------------ load

    def load(
        self, deck: int, path: str, position_s: float = 0.0, deadline: float = math.inf
    ) -> dict[str, Any]:
        """Load a bundle onto a deck; return when it is playable, the rest is read afterwards.

        The answer has the cues, sections and cue point that the bundle names, too.

        Parameters
        ----------
        deck : int
            From 0.
        path : str
        position_s : float
            Where it will play.
        deadline : float
            When the caller stops waiting, of `time.monotonic`: the deck stays as it is then, for
            what is on it may play.
        """
        began = time.monotonic_ns()
        try:
            whole = str(Path(path).resolve()).encode()
        except ValueError:  # a zero byte, or bytes that are not UTF-8
            raise Refused(f"invalid path {path!r:.80}", "give a bundle's folder") from None
        if len(whole) > MAX_PATH_BYTES:
            raise Refused(f"the path has {len(whole)} bytes", f"give at most {MAX_PATH_BYTES}")
        with self._deck_mutex[deck]:
            mounted, bundle = self.loader.mount_bundle(Path(path), position_s)
            if time.monotonic() > deadline:
                self.loader.release(mounted)
                raise EngineError(f"{path} could not be read in time", "check its disk")
            ticket = self._give(deck, mounted, position_s)
            transport = self.memory.engine["transport"][deck]
            transport["load_ticket"] = ticket
            transport["bundle"] = whole
            transport["digest"] = bundle.track.digest.encode()
            transport["track_rate"] = bundle.track.rate
            transport["track_frames"] = bundle.track.frames
            self._tracks[deck] = bundle
            self._errors.pop(deck, None)
        took_ms = (time.monotonic_ns() - began) / 1e6
        facts = {**self.describe(deck), **cues_of(bundle.track)}
        return {"playable_ms": took_ms, "ticket": ticket, **facts}

    def eject(self, deck: int, deadline: float = math.inf) -> dict[str, Any]:
        """Remove a deck's track, unless the caller has stopped waiting."""
        with self._deck_mutex[deck]:
            if time.monotonic() > deadline:
                raise EngineError("the deck was being loaded for too long", "eject it again")
            ticket = self._give(deck, None, 0.0)
            transport = self.memory.engine["transport"][deck]
            transport["bundle"] = b""
            transport["load_ticket"] = ticket
            self._tracks.pop(deck, None)
        return {"ticket": ticket}

    def _give(self, deck: int, mounted: Mounted | None, position_s: float) -> int:
        """Send a deck its track and wait until the kernel has it; return the ticket."""
        ticket = self.loader.give_track(deck, mounted, position_s)
        self.loader.wait_taken(deck)
        return ticket

    def describe(self, deck: int) -> dict[str, Any]:
        """Return the facts of the track on a deck."""
        bundle = self._tracks.get(deck)
        if bundle is None:
            return {"loaded": False, "error": self._errors.get(deck, "")}
        track = bundle.track
        mounted = self.loader.on_deck(deck)
        return {
            "loaded": True,
            "path": str(bundle.path),
            "title": track.title,
            "artist": track.artist,
            "album": track.album,
            "key": track.key,
            "bpm": track.grid.bpm if track.grid else None,
            "duration_s": track.frames / track.rate,
            "stems": [stem.name for stem in track.stems],
            "digest": track.digest,
            "error": mounted.error if mounted else "",
        }

    def bundle(self, deck: int) -> Bundle | None:
        """Return the bundle on a deck."""
        return self._tracks.get(deck)

    # ------------------------------------------------------------------ resume

    def resume_all(self, timeout_s: float = RESUME_TIMEOUT_S) -> None:
        """Load what the previous host had on its decks, where each should be by now.

        A disk that hangs does not hold the device for longer: a late track is heard late.
        """
        engine = self.memory.engine
        gone_s = (time.monotonic_ns() - int(engine["monotonic_ns"])) / 1e9
        frame = int(engine["emitted"]) + gone_s * float(engine["sample_rate"])
        readers = []
        for deck, transport in enumerate(engine["transport"]):
            path = bytes(transport["bundle"])
            if not path:
                continue
            head = transport["head"]
            position = float(transport["position"])
            if transport["playing"]:
                since = frame - int(head["anchor_frame"])
                position = float(head["anchor_position"]) + since * float(head["speed"])
            rate = float(transport["track_rate"]) or 48_000.0
            # A second before, for a head that runs backwards or jumps into a loop; and the more
            # ahead, the faster it is.
            speed = abs(float(head["speed"])) * float(engine["sample_rate"]) / rate
            given = (deck, path, position / rate - BEFORE_S, BEFORE_S + AHEAD_S * max(1.0, speed))
            readers.append(
                threading.Thread(target=self._resume, name="resume", args=given, daemon=True)
            )
            readers[-1].start()
        give_up = time.monotonic() + timeout_s
        for reader in readers:
            reader.join(max(0.0, give_up - time.monotonic()))
        threading.Thread(
            target=self._resume_stems, args=(readers,), name="resume-stems", daemon=True
        ).start()

    def _resume_stems(self, readers: list[threading.Thread]) -> None:
        """Give stems that are from another deck their tracks again, when these are all read.

        A track that is still on a deck is used; another is read again from its bundle. A stem whose
        bundle is gone is its own deck's again, which the kernel reports.
        """
        for reader in readers:
            reader.join()
        read: dict[str, Mounted | None] = {}
        for deck, transport in enumerate(self.memory.engine["transport"]):
            for stem, line in enumerate(transport["stem"]):
                guest = line["now"]
                if not 0 < int(guest["source"]) < NO_SOURCE:
                    continue
                path = bytes(guest["bundle"]).partition(b"\0")[0].decode(errors="replace")
                if path not in read:
                    read[path] = self._whole_track(deck, path)
                try:
                    self.loader.give_stem(deck, stem, read[path])
                    self.loader.wait_taken(deck)
                except EngineError as error:
                    self._errors[deck] = str(error)
                    return

    def _whole_track(self, deck: int, path: str) -> Mounted | None:
        """Return a track with all of it in memory; None if its bundle cannot be read."""
        on_decks = [d for d, bundle in list(self._tracks.items()) if str(bundle.path) == path]
        there = next(filter(None, map(self.loader.on_deck, on_decks)), None)
        try:
            mounted = there or self.loader.mount_bundle(Path(path))[0]
        except Exception as error:  # noqa: BLE001 - whatever it is, the decks play on
            self._errors[deck] = str(in_words(error))
            return None
        mounted.filled.wait()
        return mounted

    def _resume(self, deck: int, path: bytes, position_s: float, ahead_s: float) -> None:
        """Load a deck's previous track, unless it has another by then."""
        transport = self.memory.engine["transport"][deck]
        mounted, why = None, ""
        try:
            mounted, bundle = self.loader.mount_bundle(
                Path(path.decode(errors="replace")), position_s, ahead_s
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the other deck plays on
            why = str(in_words(error))
        with self._deck_mutex[deck]:
            if deck in self._tracks or bytes(transport["bundle"]) != path:
                if mounted is not None:
                    self.loader.release(mounted)
            elif mounted is None:
                self._errors[deck] = why
                transport["bundle"] = b""
                self.loader.give_track(deck, None)
            else:
                try:
                    ticket = self.loader.give_track(deck, mounted, resumed=True)
                    transport["load_ticket"] = ticket
                except EngineError as error:
                    self._errors[deck] = str(error)
                else:
                    self._tracks[deck] = bundle

    # ------------------------------------------------------------------ refresh

    def grid(self, deck: int) -> dict[str, Any]:
        """Return the grid of the track on a deck, and what identifies the track.

        Returns
        -------
        dict
            Empty without a track; else ``digest``, ``rate``, ``by_hand`` and ``grid``, which is
            None or has the fields of a `Grid`.
        """
        there = self._tracks.get(deck)
        if there is None:
            return {}
        track = there.track
        return {
            "path": str(there.path.resolve()),
            "digest": track.digest,
            "rate": track.rate,
            "by_hand": track.grid_by_hand,
            "grid": to_builtins(track.grid),
        }

    def set_grid(
        self, deck: int, digest: str, grid: Grid | None, *, by_hand: bool
    ) -> dict[str, Any]:
        """Give the track on a deck another grid, unless it is another track by now.

        Returns
        -------
        dict
            ``is_current``, false if the grid could not be replaced yet.
        """
        with self._deck_mutex[deck]:
            there = self._tracks.get(deck)
            if there is None or there.track.digest != digest:
                return {"is_current": True}
            is_current = grid == there.track.grid or self.loader.give_grid(deck, grid)
            if is_current:
                track = structs.replace(there.track, grid=grid, grid_by_hand=by_hand)
                self._tracks[deck] = replace(there, track=track)
        return {"is_current": is_current}

    def refresh(self, deck: int, *, keep_grid: bool = False) -> dict[str, Any]:
        """Apply what the bundle on a deck says anew: names, key, grid and onsets, while it plays.

        Parameters
        ----------
        deck : int
            From 0.
        keep_grid : bool
            Leave the grid, which is newer than the bundle's.

        Returns
        -------
        dict
            Cues, sections and cue point of the bundle, if it is readable and still of the same
            track; ``is_current``, false if the grid could not be replaced yet: it can when the
            track is all in memory.
        """
        there = self._tracks.get(deck)
        if there is None:
            return {"is_current": True}
        track = there.track
        try:
            said = read_bundle(there.path).track
        except MediaError:  # it was moved, or is not whole: what is in memory goes on
            return {"is_current": True}
        with self._deck_mutex[deck]:
            if self._tracks.get(deck) is not there:
                return {"is_current": True}  # another was loaded meanwhile
            # of the same sound, or of stems of it that came since
            is_same = said.digest == track.digest or (bool(said.uuid) and said.uuid == track.uuid)
            if not is_same or (said.frames, said.rate) != (track.frames, track.rate):
                return {"is_current": True}
            track = there.track
            splices, onsets = read_onsets(there.path, said)
            is_current = keep_grid or said.grid == track.grid
            key = signature(said.key)
            is_current = is_current and self.loader.has_splices(deck, splices)
            is_current = is_current and self.loader.has_key(deck, key)
            grid = track.grid if keep_grid else said.grid
            is_current = is_current or self.loader.give_grid(deck, grid, splices, onsets, key)
            if is_current:
                left = GRID_FIELDS if keep_grid else ()
                known = {name: getattr(said, name) for name in REFRESHED if name not in left}
                self._tracks[deck] = replace(there, track=structs.replace(track, **known))
        return {"is_current": is_current, **cues_of(said)}


def cues_of(track: Track) -> dict[str, Any]:
    """Return a track's cues, sections, first downbeat as cue point, and saved loop, in seconds."""
    starts = [cue.position_frames for cue in track.cues if cue.kind == "intro"]
    return {
        "cues": [
            {
                "position_s": cue.position_frames / track.rate,
                "end_s": None if cue.end_frames is None else cue.end_frames / track.rate,
                "kind": cue.kind,
                "slot": cue.hot_cue,
                "label": cue.label,
                "color": cue.color,
                "stem": cue.stem,
                "on_load": cue.on_load,
                "by_hand": cue.by_hand,
            }
            for cue in track.cues
        ],
        "sections": [
            {
                "start_s": section.start_frames / track.rate,
                "end_s": section.end_frames / track.rate,
                "label": section.label,
            }
            for section in track.sections
        ],
        "cue_point": min(starts) / track.rate if starts else None,
        "loop": saved_loop(track),
    }


def saved_loop(track: Track) -> list[float] | None:
    """Return start and end in seconds of the loop that a track was saved with; None without one.

    That is the first loop of all stems that is no hot cue.
    """
    loops = [
        [cue.position_frames / track.rate, cue.end_frames / track.rate]
        for cue in track.cues
        if cue.kind == "loop" and cue.end_frames and not cue.hot_cue and cue.stem is None
    ]
    return min(loops, default=None)
