"""Learn: which control was moved, and how it tells of it. Pure.

What a controller sends does not say how it is meant: CC 16 with 1 may be a fader at the bottom, a
knob turned one step, or a button with a lamp. So several messages are looked at:

================== ===================================================================
encoding           recognised by
================== ===================================================================
button             a note; a program; a control change of 0 and one other value, from 64
absolute           values that change at each message
14-bit pair        control changes n below 32 and n + 32, whichever comes first
NRPN               control changes 98 and 99, and then 6
relative           the same small step again and again; which kind, by the other direction
pitch bend         its status
================== ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sfa_engine.engine.midi import Encoding, Kind
from sfa_engine.surfaces.midi.message import Message, note_name

STILL_S = 0.4  # without a message: a button was let go, a fader stands
OTHER_WAY_S = 2.5  # to turn a relative control the other way too
ENOUGH = 4  # different values of a fader, messages of a relative control
RELATIVE_REACH = 12  # steps in one message of a fast turn
PAIR = 32  # from the upper half's controller to the lower half's
DATA, DATA_LSB, NRPN_LSB, NRPN_MSB = 6, 38, 98, 99
MAX_MESSAGES = 512  # that are kept

_RELATIVE = (Encoding.TWOS_COMPLEMENT, Encoding.OFFSET_64, Encoding.SIGN_BIT)


@dataclass(frozen=True)
class Learned:
    """What a physical control sends.

    Attributes
    ----------
    channel : int
        From 0.
    encoding : Encoding
        `MSB` of a 14-bit pair, whose other half is `lsb`.
    """

    kind: Kind
    channel: int
    number: int
    encoding: Encoding
    lsb: int = -1

    @property
    def is_button(self) -> bool:
        """Whether it is pressed rather than moved."""
        return self.encoding is Encoding.BUTTON

    @property
    def is_relative(self) -> bool:
        """Whether it tells steps rather than where it stands."""
        return self.encoding in _RELATIVE

    def words(self) -> str:
        """Return it as a person reads it: ``CC 7 and 39 (14 bits), channel 1``."""
        names = {
            Kind.NOTE: f"note {self.number} ({note_name(self.number % 128)})",
            Kind.CONTROL: f"CC {self.number}",
            Kind.PROGRAM: f"program {self.number}",
            Kind.POLY_PRESSURE: f"pressure of note {self.number}",
            Kind.CHANNEL_PRESSURE: "pressure",
            Kind.PITCH_BEND: "pitch bend",
            Kind.NRPN: f"NRPN {self.number}",
        }
        told = {
            Encoding.TWOS_COMPLEMENT: ", relative (two's complement)",
            Encoding.OFFSET_64: ", relative (64 is no step)",
            Encoding.SIGN_BIT: ", relative (sign bit)",
            Encoding.MSB: f" and {self.lsb} (14 bits)",
            Encoding.BUTTON: " as a button" if self.kind is Kind.CONTROL else "",
        }.get(self.encoding, "")
        return f"{names[self.kind]}{told}, channel {self.channel + 1}"


class Recogniser:
    """Looks at the messages of one device until it is clear what was moved.

    Parameters
    ----------
    wants_button : bool
        Whether the control that is learned is pressed: then a note is taken at once, and else it
        may be the touch of a fader or of a platter that tells where it is afterwards.
    """

    def __init__(self, *, wants_button: bool) -> None:
        self._wants_button = wants_button
        self._seen: list[Message] = []
        self._first_s = self._last_s = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come that could be learned."""
        return not self._seen

    def take(self, message: Message, at_s: float) -> None:
        """Look at a message that came at a time."""
        if message.kind is Kind.NOTE and not message.value and not self._has_begun(message):
            return  # a button that was held when learning began
        if not self._seen:
            self._first_s = at_s
        self._last_s = at_s
        self._seen.append(message)
        del self._seen[:-MAX_MESSAGES]

    def _has_begun(self, message: Message) -> bool:
        return any(seen[:3] == message[:3] for seen in self._seen)

    def result(self, now_s: float) -> Learned | None:
        """Return what was moved, as soon as that is clear."""
        is_still = now_s - self._last_s >= STILL_S
        gives_up = now_s - self._last_s >= OTHER_WAY_S
        moved = self._moved(is_still=is_still, gives_up=gives_up)
        notes = self._of(Kind.NOTE)
        if notes and (self._wants_button or (moved is None and is_still)):
            return Learned(Kind.NOTE, notes[0].channel, notes[0].number, Encoding.BUTTON)
        return moved

    @property
    def hint(self) -> str:
        """What the performer should do, if something is unclear."""
        if not self._seen:
            return ""
        values = self._busiest()
        if values and _may_be_relative(values):
            return "turn it the other way too"
        return "move it further" if values else ""

    def _of(self, kind: Kind) -> list[Message]:
        return [message for message in self._seen if message.kind is kind]

    def _moved(self, *, is_still: bool, gives_up: bool) -> Learned | None:
        """Return the control that was moved or pressed, of all but notes."""
        if nrpn := self._nrpn():
            return nrpn
        bends = self._of(Kind.PITCH_BEND)
        if len({message.value for message in bends}) >= ENOUGH or (bends and is_still):
            return Learned(Kind.PITCH_BEND, bends[0].channel, 0, Encoding.ABSOLUTE)
        controls = self._of(Kind.CONTROL)
        if controls:
            return self._control(controls, is_still=is_still, gives_up=gives_up)
        programs = self._of(Kind.PROGRAM)
        if programs:
            return Learned(Kind.PROGRAM, programs[0].channel, programs[0].number, Encoding.BUTTON)
        if not self._of(Kind.NOTE) or not self._wants_button:
            return self._pressure(is_still=is_still)
        return None

    def _pressure(self, *, is_still: bool) -> Learned | None:
        """Return a pressure that was not just the end of a blow."""
        if self._of(Kind.NOTE):
            return None
        for kind in (Kind.CHANNEL_PRESSURE, Kind.POLY_PRESSURE):
            found = self._of(kind)
            if found and (is_still or len({m.value for m in found}) >= ENOUGH):
                return Learned(kind, found[0].channel, found[0].number, Encoding.ABSOLUTE)
        return None

    def _nrpn(self) -> Learned | None:
        controls = self._of(Kind.CONTROL)
        for channel in {message.channel for message in controls}:
            last = {m.number: m.value for m in controls if m.channel == channel}
            if {NRPN_LSB, NRPN_MSB, DATA} <= last.keys():
                number = last[NRPN_MSB] << 7 | last[NRPN_LSB]
                return Learned(Kind.NRPN, channel, number, Encoding.ABSOLUTE)
        return None

    def _control(
        self, controls: list[Message], *, is_still: bool, gives_up: bool
    ) -> Learned | None:
        if any(message.number in {NRPN_LSB, NRPN_MSB} for message in controls):
            return None  # the rest of the NRPN is to come
        places = {(message.channel, message.number) for message in controls}
        pairs = [p for p in places if p[1] < PAIR and (p[0], p[1] + PAIR) in places]
        counts = {p: sum(m[1:3] == p for m in controls) for p in places}
        if pairs:
            channel, number = max(pairs, key=lambda p: counts[p])
            if counts[channel, number] + counts[channel, number + PAIR] >= ENOUGH or is_still:
                lsb = number + PAIR
                return Learned(Kind.CONTROL, channel, number, Encoding.MSB, lsb)
            return None
        channel, number = max(counts, key=lambda p: counts[p])
        values = [m.value for m in controls if m[1:3] == (channel, number)]
        is_pressed = is_still if self._wants_button else gives_up
        if set(values) in ({127}, {64}, {100}) and len(values) == 1:
            # Held, or a button that tells no release; but a knob may send it too.
            encoding = Encoding.BUTTON if is_pressed else None
        else:
            encoding = _encoding(values, is_still=is_still, gives_up=gives_up)
        if encoding is None:
            return None
        return Learned(Kind.CONTROL, channel, number, encoding)

    def _busiest(self) -> list[int]:
        """Return the values of the controller that sent most."""
        controls = self._of(Kind.CONTROL)
        places = [message[1:3] for message in controls]
        if not places:
            return []
        most = max(set(places), key=places.count)
        return [message.value for message in controls if message[1:3] == most]


def _encoding(values: list[int], *, is_still: bool, gives_up: bool) -> Encoding | None:
    """Return how the values of one controller are meant; None while that is not clear."""
    kinds = set(values)
    if 0 in kinds and len(kinds) == 2 and max(kinds) >= 64:
        # A fader that was thrown from end to end sends values between.
        return Encoding.BUTTON if values[-1] == 0 or is_still else None
    if _may_be_relative(values):
        return _relative(values, gives_up=gives_up)
    if len(kinds) >= ENOUGH or (is_still and len(kinds) > 1):
        return Encoding.ABSOLUTE
    return None


def _may_be_relative(values: list[int]) -> bool:
    """Return whether values look like steps: small ones, and often the same one again."""
    near = {*range(1, RELATIVE_REACH + 1)}
    sets = {
        Encoding.TWOS_COMPLEMENT: near | {128 - step for step in near},
        Encoding.OFFSET_64: {64 + step for step in near} | {64 - step for step in near},
        Encoding.SIGN_BIT: near | {64 + step for step in near},
    }
    if not any(set(values) <= fits for fits in sets.values()):
        return False
    again = sum(one == other for one, other in pairwise(values))
    return again * 3 >= len(values)


def _relative(values: list[int], *, gives_up: bool) -> Encoding | None:
    """Return the relative encoding of steps; None until they went both ways."""
    low = any(value <= RELATIVE_REACH for value in values)
    high = any(value >= 128 - RELATIVE_REACH for value in values)
    over = any(64 < value <= 64 + RELATIVE_REACH for value in values)
    under = any(64 - RELATIVE_REACH <= value < 64 for value in values)
    if len(values) < ENOUGH and not gives_up:
        return None
    if high:
        return Encoding.TWOS_COMPLEMENT
    if under:
        return Encoding.OFFSET_64
    if low and over:
        return Encoding.SIGN_BIT
    if gives_up:  # one way only: what most controllers do
        return Encoding.TWOS_COMPLEMENT if low else Encoding.OFFSET_64
    return None
