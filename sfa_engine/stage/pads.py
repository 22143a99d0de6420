"""``pad.*`` and ``kit.*``: what the sampler's pads play, and kits of pads.

::

    a WAV file, stems of a bundle ──────────────────────► host (pad_load, pad_slice, pad_loop)
    any other file ──► backstage (kits.decode) ──► WAV ──► host
    what was just played ───────────────────────────────► host (pad_capture)
    a kit ──► backstage (kits.show) ──► files ──► host, settings ──► commands
    a label or a colour that was set ──► host, whose memory outlives the stage

Kits are backstage's; here is only what a performer does with them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import trio
from msgspec import Meta

from sfa_engine.desk import CONTROLS, DECKS, DESK, Choice, Value
from sfa_engine.desk.desk import PADS, PADS_IN_BANK
from sfa_engine.engine.command import Source
from sfa_engine.errors import EngineError, MediaError, Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.host_link import ask_host
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.wire.verbs import Text, verb

logger = logging.getLogger(__name__)
POLL_S = 1.0
FULL_RETRY_S = 0.003  # a block of 128 frames, after which the kernel has emptied the ring
FULL_RETRIES = 100
DECODE_TIMEOUT_S = 120.0
ALL = "all"  # stems of a track
MAX_IGNORED = 100  # settings of a kit that are named
# What a kit keeps of a pad, beside its sound.
SETTINGS = tuple(
    name
    for name, control in DESK.pad[1].declared()
    if getattr(control, "settable", False) and getattr(DESK.pad[1], name).owner == "engine"
)
SOURCE = ("pad", "path", "stems", "start", "frames", "gain")  # of what is on a pad
_FROM, _BARS = DESK.sampler.capture_from.path, DESK.sampler.capture_bars.path
# How a pad plays what was captured: the whole, as it was heard, from bar to bar.
CAPTURED = {
    "mode": "loop",
    "quantise": "bar",
    "pitch": 0.0,
    "start": 0.0,
    "end": 100.0,
    "reverse": 0.0,
}
_TEXTS = {
    f"pad{number}.{name}": (number, name)
    for number in range(1, PADS + 1)
    for name in ("label", "color")
}

Pad = Annotated[int, Meta(ge=1, le=PADS)]
Bank = Annotated[int, Meta(ge=1, le=PADS // PADS_IN_BANK)]
Deck = Annotated[int, Meta(ge=1, le=DECKS)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Bars = Annotated[float, Meta(gt=0, le=1024)]
Beats = Annotated[float, Meta(ge=1 / 32, le=64)]
By = Literal["beat", "onset"]


class Pads:
    """The verbs of pads and kits, and the texts of the pads.

    Parameters
    ----------
    runtime : pathlib.Path
        Where the sockets are.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._conductor = conductor
        self._host_started_ns = -1
        self._named: dict[tuple[int, str], str] = {}  # texts that the host does not have yet
        self._wake = trio.Event()
        self._loading = trio.Lock()
        conductor.listen(self._on_change)

    async def run(self) -> None:
        """Show the pads of a host that started, and hand it texts, until cancelled."""
        while True:
            started_ns = self._conductor.host_started_ns
            try:
                if started_ns != self._host_started_ns:
                    self._show(await self.pad_list())
                    self._host_started_ns = started_ns
                while self._named:
                    (pad, name), text = next(iter(self._named.items()))
                    given: dict[str, Any] = {name: text}
                    await ask_host(self._runtime, "pad.name", pad=pad - 1, **given)
                    if self._named.get((pad, name)) == text:
                        del self._named[pad, name]
            except EngineError:  # the host restarts
                pass
            except SfaError as error:
                logger.warning("the names of the pads: %s", error)
                self._named.clear()
            with trio.move_on_after(POLL_S):
                await self._wake.wait()
            self._wake = trio.Event()

    def _on_change(self, path: str, value: Value, source: int) -> None:
        if path in _TEXTS and source != Source.HOST:
            self._named[_TEXTS[path]] = str(value)
            self._wake.set()

    def _show(self, pads: Iterable[Mapping[str, Any]]) -> None:
        for pad in pads:
            for name in ("label", "color"):
                path = f"pad{pad['pad']}.{name}"
                text: Any = ""
                try:
                    text = CONTROLS[path].check(pad[name])
                except Refused:  # of another version
                    logger.warning("%s cannot be %r", path, pad[name])
                self._conductor.stage.put(path, text, Source.HOST)

    # ------------------------------------------------------------------ pads

    @verb(scope="read", slow=True)
    async def pad_list(self) -> list[dict[str, Any]]:
        """Return what is on every pad."""
        pads: Any = await ask_host(self._runtime, "pads")
        return list(pads)

    @verb(scope="perform", slow=True, restricted={"path": "library"})
    async def pad_load(
        self, pad: Pad, path: Text, label: Text = "", color: Text = ""
    ) -> dict[str, Any]:
        """Put a sound file on a pad; without a label it is called as the file."""
        color = str(DESK.pad[pad].color.check(color))
        label = str(DESK.pad[pad].label.check(label or Path(path).stem[:60]))
        async with self._loading:
            loaded = await self._load(pad, path, label=label, color=color)
            await self._set(pad, {"beats": 0.0})
        return loaded

    async def _load(self, pad: int, path: str, **more: Any) -> dict[str, Any]:
        """Load a WAV file as it is, any other after backstage has decoded it."""
        try:
            loaded = await ask_host(self._runtime, "pad.load", pad=pad - 1, path=path, **more)
        except MediaError:
            made = await ask_backstage(
                self._runtime, "kits.decode", path=path, timeout_s=DECODE_TIMEOUT_S
            )
            file = made["path"]
            loaded = await ask_host(self._runtime, "pad.load", pad=pad - 1, path=file, **more)
        self._show([loaded])
        return loaded

    @verb(scope="perform", slow=True)
    async def pad_slice(
        self,
        pad: Pad | None = None,
        bank: Bank = 1,
        deck: Deck | None = None,
        track: Text = "",
        stem: Text = ALL,
        by: By = "beat",
        count: Annotated[int, Meta(ge=1, le=PADS)] = PADS_IN_BANK,
        start_s: Seconds | None = None,
        beats: Beats = 1.0,
    ) -> dict[str, Any]:
        """Put slices of a stem on pads, from `pad` or the first of `bank` on.

        The track is a deck's, or one that words find in the library. The slices begin at
        `start_s`; without it, at the deck's loop if it is on, else where the deck is, else at the
        track's start.
        """
        if (deck is None) is not bool(track):
            raise Refused("one of deck and track is needed", "give a deck, or words")
        first = (bank - 1) * PADS_IN_BANK if pad is None else pad - 1
        if track:
            found = await ask_backstage(self._runtime, "library.find", words=track)
            path, start_s = str(found["bundle"]), start_s or 0.0
        else:
            assert deck is not None
            path = self._bundle(deck)
            start_s = self._start_s(deck) if start_s is None else start_s
        async with self._loading:
            sliced: Any = await ask_host(
                self._runtime,
                "pad.slice",
                pad=first,
                path=path,
                stem=stem,
                by=by,
                count=count,
                start_s=float(start_s),
                beats=beats,
                deck=None if deck is None else deck - 1,
            )
            self._show(sliced)
            for each in sliced:
                await self._set(each["pad"], {"beats": beats if by == "beat" else 0.0})
        return {"pads": sliced}

    @verb(scope="perform", slow=True)
    async def pad_loop(self, pad: Pad, deck: Deck, stem: Text = ALL) -> dict[str, Any]:
        """Put the loop of a deck on a pad, which loops it in time with the deck.

        Without a beat grid, or longer than 1024 beats, it loops at the deck's present speed.
        """
        get = self._conductor.get
        self._bundle(deck)
        start_s, end_s = get(f"deck{deck}.loop.start"), get(f"deck{deck}.loop.end")
        scale = DESK.deck[deck].loop.start.scale
        if not scale.low <= start_s < end_s:
            raise Refused(f"deck {deck} has no loop", f"press deck{deck}.loop.beatloop")
        async with self._loading:
            loaded = await ask_host(
                self._runtime,
                "pad.loop",
                pad=pad - 1,
                deck=deck - 1,
                stem=stem,
                start_s=start_s,
                end_s=end_s,
            )
            self._show([loaded])
            beats = beats_of(loaded)
            shift = 0.0 if beats > 0.0 else 12.0 * math.log2(get(f"deck{deck}.rate"))
            pitch = DESK.pad[pad].pitch.scale
            shift = min(pitch.high, max(pitch.low, shift))
            self._go_by(deck)
            await self._set(pad, {"mode": "loop", "pitch": shift, "beats": beats})
        return loaded

    @verb(scope="perform", slow=True)
    async def pad_capture(
        self, pad: Pad, source: Text = "", bars: Bars | None = None
    ) -> dict[str, Any]:
        """Put the last bars of the master, a deck or a stem on a pad, to loop from a bar on.

        Without a source or a number of bars, they are those of ``sampler.capture_from`` and
        ``sampler.capture_bars``.
        """
        sampler = DESK.sampler
        source = source or str(sampler.capture_from.text(self._conductor.get(_FROM)))
        bars = float(self._conductor.get(_BARS)) if bars is None else bars
        async with self._loading:
            loaded = await ask_host(
                self._runtime, "pad.capture", pad=pad - 1, source=source, bars=bars
            )
            self._show([loaded])
            if source.startswith("deck"):
                self._go_by(int(source.partition(".")[0].removeprefix("deck")))
            await self._set(pad, {**CAPTURED, "beats": beats_of(loaded)})
        return loaded

    async def capture(self, pad: int) -> None:
        """Do what ``padN.capture`` does."""
        await self.pad_capture(pad)

    def _go_by(self, deck: int) -> None:
        """Let the pads go by a deck, from 1, if the session's clock goes by nothing."""
        get, clock = self._conductor.get, DESK.sampler.clock.path
        if get(clock) == 0.0 and get(DESK.clock.source.path) == 0.0:
            self._conductor.set_nowait(clock, float(deck))

    @verb(scope="perform", slow=True)
    async def pad_clear(
        self,
        pad: Pad | None = None,
        bank: Bank | None = None,
        all: bool = False,  # noqa: A002
    ) -> dict[str, Any]:
        """Take the sound off a pad, off a bank's pads, or off all."""
        if (pad is not None) + (bank is not None) + all != 1:
            raise Refused("one of pad, bank and all is needed", "name a pad")
        pads = list(range(PADS)) if all else [pad - 1] if pad is not None else []
        if bank is not None:
            pads = list(range((bank - 1) * PADS_IN_BANK, bank * PADS_IN_BANK))
        async with self._loading:
            return await self._clear(pads)

    async def _clear(self, pads: list[int]) -> dict[str, Any]:
        cleared = await ask_host(self._runtime, "pad.clear", pads=pads)
        self._show({"pad": pad + 1, "label": "", "color": ""} for pad in pads)
        return cleared

    def _bundle(self, deck: int) -> str:
        path = bundle_of(self._conductor.memory, deck)
        if not path:
            raise Refused(f"there is no track on deck {deck}", "load one")
        return path

    def _start_s(self, deck: int) -> float:
        get = self._conductor.get
        if get(f"deck{deck}.loop.active"):
            return max(0.0, float(get(f"deck{deck}.loop.start")))
        return max(0.0, float(get(f"deck{deck}.position")))

    async def _set(self, pad: int, settings: Mapping[str, Any]) -> None:
        """Set controls of a pad that differ; wait while the ring is full."""
        for name, value in settings.items():
            path = f"pad{pad}.{name}"
            number = CONTROLS[path].check(value)
            for retry in range(FULL_RETRIES):
                try:
                    if self._conductor.get(path) != number:
                        self._conductor.set_nowait(path, number)
                    break
                except EngineError:
                    if retry == FULL_RETRIES - 1:
                        raise
                    await trio.sleep(FULL_RETRY_S)

    # ------------------------------------------------------------------ kits

    @verb(scope="perform", slow=True)
    async def kit_save(self, name: Text) -> dict[str, Any]:
        """Save sounds, names and settings of the pads as a kit, in place of one of its name."""
        get = self._conductor.get
        async with self._loading:
            pads = [pad for pad in await self.pad_list() if pad["loaded"]]
            if not pads:
                raise Refused("no pad has a sound", "load one: `sfa pad load PAD FILE`")
            kept = [
                {
                    **{key: pad[key] for key in SOURCE},
                    "label": get(f"pad{pad['pad']}.label"),
                    "color": get(f"pad{pad['pad']}.color"),
                    "settings": settings_of(pad["pad"], get),
                }
                for pad in pads
            ]
            saved: dict[str, Any] = await ask_backstage(
                self._runtime, "kits.save", name=name, pads=kept, timeout_s=DECODE_TIMEOUT_S
            )
        return saved

    @verb(scope="perform", slow=True)
    async def kit_load(self, name: Text) -> dict[str, Any]:
        """Load a kit: every pad gets its sound, name and settings, or none.

        A pad whose file is missing stays empty; ``missing`` says why. A setting that this engine
        does not have, or not in that range, is left at rest; ``ignored`` names it.
        """
        kit = await ask_backstage(self._runtime, "kits.show", name=name)
        pads = {int(pad["pad"]): pad for pad in kit["pads"]}
        missing, ignored = [], []
        async with self._loading:
            loaded = 0
            empty = [number - 1 for number in range(1, PADS + 1) if number not in pads]
            await self._clear(empty)
            for number in range(1, PADS + 1):
                pad = pads.get(number, {})
                rests = {each: CONTROLS[f"pad{number}.{each}"].scale.rest for each in SETTINGS}
                known, unknown = _known(number, pad.get("settings", {}))
                ignored += [{"pad": number, "why": why} for why in unknown]
                await self._set(number, {**rests, **known})
                if not pad:
                    continue
                kept = {each: pad[each] for each in ("start", "frames", "gain", "label", "color")}
                try:
                    await self._load(number, pad["path"], **kept)
                    loaded += 1
                except (MediaError, Refused) as error:
                    await self._clear([number - 1])
                    missing.append({"pad": number, "why": str(error)})
        return {
            "name": name,
            "loaded": loaded,
            "missing": missing,
            "ignored": ignored[:MAX_IGNORED],
        }


def beats_of(loaded: Mapping[str, Any]) -> float:
    """Return the `beats` of a pad for a sound; 0, its own speed, if it is longer than they go."""
    beats = float(loaded["beats"])
    return beats if beats <= DESK.pad[1].beats.scale.high else 0.0


def settings_of(pad: int, get: Callable[[str], Any]) -> dict[str, float | str]:
    """Return the settings of a pad that are not at rest; of a choice, the word."""
    found: dict[str, float | str] = {}
    for name in SETTINGS:
        control = CONTROLS[f"pad{pad}.{name}"]
        value = get(control.path)
        if value != control.scale.rest:
            found[name] = control.text(value) if isinstance(control, Choice) else float(value)
    return found


def _known(pad: int, settings: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Return the settings of a kit that the desk has, in range, and why others are left out."""
    found, unknown = {}, []
    for name, value in settings.items():
        if name not in SETTINGS:
            unknown.append(f"pads have no setting {name!r:.80}")
            continue
        try:
            found[name] = CONTROLS[f"pad{pad}.{name}"].check(value)
        except Refused as error:
            unknown.append(str(error))
    return found, unknown
