"""Settings of the MIDI surface."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MidiConfig:
    """``[midi]``.

    Parameters
    ----------
    enabled : bool
        Whether controllers are opened.
    ignore : tuple of str
        Regular expressions of ports that are left alone, searched in their names.
    generic : bool
        Whether controllers without a profile get the profile ``generic``. Without it they can be
        learned and watched, and do nothing by themselves: a keyboard that is plugged in for
        something else must not trigger hot cues.
    devices : dict of str to str
        Profiles of devices: names of profiles by regular expressions of devices, ``none`` for
        no profile.
    clock_in, clock_out : tuple of str
        Regular expressions of devices whose MIDI clock is followed, and that are sent it, while
        `clock.midi_in` and `clock.midi_out` are on; any device unless they are given.
    clock_offset_ms : float
        How much earlier MIDI clock is sent.
    """

    enabled: bool = True
    ignore: tuple[str, ...] = ("^Midi Through",)
    generic: bool = False
    devices: dict[str, str] = field(default_factory=dict)
    clock_in: tuple[str, ...] = (".",)
    clock_out: tuple[str, ...] = (".",)
    clock_offset_ms: float = 0.0
