"""A profile: what the controls of a controller send, and what they do.

::

    text ─ tomllib ─► tables ─ document ─► keys, typed ─ expand ─► what each control does
                                                                     │ table (compile_profile)
                                                                     ▼ bindings and lights

`parse_profile` refuses a text with all its faults, each with line and remedy. Built-in profiles
lie in ``profiles`` of the checkout, or in ``share/sfa/profiles`` of where the package was
installed; a user's profile of the same name overrides one.
"""

from __future__ import annotations

import logging
import re
import site
import sys
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.surfaces.midi.assignment import Assignment, Expansion, Physical
from sfa_engine.surfaces.midi.document import Binding, Document, Entry, Light, Match
from sfa_engine.surfaces.midi.expand import expand
from sfa_engine.surfaces.midi.faults import Fault, Lines, ProfileError
from sfa_engine.surfaces.midi.layers import Layer
from sfa_engine.surfaces.midi.lights import check_light, check_message
from sfa_engine.surfaces.midi.message import model_of

logger = logging.getLogger(__name__)


def _built_in() -> Path:
    """Return the folder of the profiles that come with the package."""
    checkout = Path(__file__).parents[3] / "profiles"
    installed = [Path(base, "share/sfa/profiles") for base in (sys.prefix, site.getuserbase())]
    return next((p for p in (checkout, *installed) if (p / "generic.toml").is_file()), checkout)


BUILT_IN = _built_in()
MAX_BYTES = 256 << 10  # thirty times the longest of ours; 1 MiB is 4 s of parsing
MAX_DOTS = 600  # in a line; the parser's time grows with the square of a key's parts
MAX_ENTRIES = 512  # of a profile; as many as a slot has inputs
MAX_FILES = 1000  # of a user's folder
MAX_QUANTIFIERS = 4  # of a port's pattern: with more of them a search may take seconds
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_PLACE = re.compile(r" - at `\$(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_TABLES = {"match": Match, "light": Light, "lights": Light, "bindings": Binding}
_ESCAPED = re.compile(r"\\.|\[[^\]]*\]|\(\?[:i)]*")


@dataclass(frozen=True)
class Profile:
    """A controller's profile.

    Attributes
    ----------
    name, title : str
        What it is called in commands, and for a person.
    origin : str
        File that it was read from.
    port : re.Pattern or None
        Searched in the port's name; None matches no port.
    fallback : bool
        Whether it is for controllers that no other profile matches.
    identity : tuple of tuple of int or None
        Bytes of the replies to an identity request; None stands for any. Empty: not known.
    model : int
        Number of the model of a device that has not told its identity.
    init, shutdown : list of bytes
        Messages to send when the device is opened, and before it is closed.
    text : str
        As it is written.
    """

    name: str
    title: str
    origin: str
    port: re.Pattern[str] | None
    fallback: bool
    identity: tuple[tuple[int | None, ...], ...]
    model: int
    init: list[bytes]
    shutdown: list[bytes]
    text: str = field(repr=False)

    @cached_property
    def _whole(self) -> tuple[Document, Expansion]:
        """The controls: read when they are asked for, 50 ms of work in a profile of many layers."""
        return _parse(self.text, self.origin)

    @property
    def document(self) -> Document:
        """The profile's keys."""
        return self._whole[0]

    @property
    def layers(self) -> dict[str, Layer]:
        """Bits of the slot's state."""
        return self._whole[1].layers

    @property
    def physicals(self) -> list[Physical]:
        """The physical controls."""
        return self._whole[1].physicals

    @property
    def assignments(self) -> list[Assignment]:
        """What the controls do."""
        return self._whole[1].assignments

    def matches(self, port_name: str) -> bool:
        """Return whether a port's name is one of this controller."""
        return self.match_length(port_name) > 0

    def match_length(self, port_name: str) -> int:
        """Return how many characters of a port's name match; 0 if it is another controller's."""
        found = self.port.search(port_name.strip()[:200]) if self.port else None
        return len(found[0]) if found else 0

    @property
    def asks_identity(self) -> bool:
        """Whether a device is to be asked for its identity: it tells profile or model."""
        return bool(self.identity) or self.has_model

    @property
    def has_model(self) -> bool:
        """Whether a lamp is sent the number of the model."""
        return "{model" in self.text

    def model_of(self, reply: bytes) -> int:
        """Return the number of a device's model, for lamps that name it.

        By its identity reply, where there is one; else, and without such lamps, the profile's.
        """
        found = model_of(reply) if self.has_model else None
        return self.model if found is None else found

    def is_identity(self, reply: bytes) -> bool:
        """Return whether a reply to an identity request comes from this controller."""
        return any(
            len(wanted) <= len(reply)
            and all(byte in {None, found} for byte, found in zip(wanted, reply, strict=False))
            for wanted in self.identity
        )


def parse_profile(text: str, origin: str) -> Profile:
    """Return the profile of a TOML text.

    Parameters
    ----------
    text : str
    origin : str
        File that it comes from, for messages.

    Raises
    ------
    ProfileError
        It is invalid: line and remedy of the first fault, and `faults` with all.
    """
    whole = _parse(text, origin)
    profile = _profile(whole[0], text, origin)
    vars(profile)["_whole"] = whole
    return profile


def _parse(text: str, origin: str) -> tuple[Document, Expansion]:
    """Return keys and controls of a text, or refuse it with all faults."""
    document, lines, faults = _read(text, origin)
    found = expand(document, lines)
    faults += found.faults
    _check_lights(document, found, lines, faults)
    for key, check in (
        ("match", lambda: _pattern(document.match.port)),
        ("match", lambda: _identity(document.match.identity)),
        ("init", lambda: _messages(document.init)),
        ("shutdown", lambda: _messages(document.shutdown)),
    ):
        try:
            check()
        except Refused as error:
            faults.append(Fault(lines.top(key), error.message, error.hint))
    if faults:
        raise ProfileError(origin, faults)
    return document, found


def _profile(document: Document, text: str, origin: str) -> Profile:
    """Return the profile of checked keys."""
    match = document.match
    return Profile(
        document.name, document.title, origin, _pattern(match.port), match.fallback,
        _identity(match.identity), match.model, _messages(document.init),
        _messages(document.shutdown), text,
    )  # fmt: skip


def load_profiles(user_folder: Path | None = None) -> dict[str, Profile]:
    """Return all profiles by name; a user's overrides the built-in one of its name.

    An invalid file of the user's is logged and left out. Of a built-in one only the head is read,
    up to its first control: all of them take 1 s, and a set needs one or two.
    """
    found = {}
    for file in sorted(BUILT_IN.glob("*.toml")):
        text = file.read_text(encoding="utf-8")
        head = msgspec.convert(tomllib.loads(text.partition("\n[[control]]")[0]), Document)
        found[head.name] = _profile(head, text, str(file))
    folder = sorted(user_folder.glob("*.toml"))[:MAX_FILES] if user_folder else []
    for file in folder:
        try:
            profile = read_profile(file)
        except Refused as error:
            logger.warning("a profile is left out: %s", error)
        else:
            found[profile.name] = profile
    return found


def read_profile(file: Path) -> Profile:
    """Return the profile of a file, or refuse it.

    Raises
    ------
    Refused
        The file cannot be read, or `ProfileError` of its text.
    """
    return parse_profile(read_text(file), str(file))


def read_text(file: Path) -> str:
    """Return the text of a profile's file, or refuse a file that cannot be read."""
    try:
        if not file.is_file():
            raise Refused(f'no file "{file!s:.200}"', "see `sfa midi map` for all profiles")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ProfileError(str(file), [_too_long()])
        return data.decode()
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError:
        raise ProfileError(
            str(file), [Fault(0, "the file is not UTF-8", "save it as UTF-8")]
        ) from None


def best_match(profiles: dict[str, Profile], port_name: str) -> Profile | None:
    """Return the profile for a port: the longest match; a fallback where nothing matches."""
    lengths = {name: profile.match_length(port_name) for name, profile in profiles.items()}
    best = max(lengths, key=lambda name: lengths[name], default="")
    if best and lengths[best]:
        return profiles[best]
    return next((profile for profile in profiles.values() if profile.fallback), None)


def _too_long() -> Fault:
    return Fault(0, f"the file is longer than {MAX_BYTES} bytes", "split the profile")


def _read(text: str, origin: str) -> tuple[Document, Lines, list[Fault]]:
    """Return the keys of a text, typed; entries with faults are left out and told."""
    if len(text) > MAX_BYTES:
        raise ProfileError(origin, [_too_long()])
    for number, words in enumerate(text.split("\n"), 1):
        if words.count(".") > MAX_DOTS:
            message = f"a line with more than {MAX_DOTS} dots"
            raise ProfileError(origin, [Fault(number, message, "write several lines")])
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ProfileError(origin, [Fault(0, "nested too deeply", "write it flat")]) from None
    except ValueError as error:  # its own, and that of a number with thousands of digits
        found = _LINE.search(str(error))
        line = int(found[1]) if found else 0
        message = f"not TOML: {_LINE.sub('', str(error)).strip():.200}"
        raise ProfileError(origin, [Fault(line, message, "see https://toml.io")]) from None
    lines = Lines(text)
    entries = data.pop("control", [])
    faults: list[Fault] = []
    document = _convert(data, Document, lambda *words: lines.top(words[-1]) if words else 1, faults)
    if not isinstance(entries, list):
        faults.append(Fault(lines.top("control"), "control is no array", "write [[control]]"))
        entries = []
    if len(entries) > MAX_ENTRIES:
        faults.append(Fault(0, f"more than {MAX_ENTRIES} entries", "write rows: note = [36, 37]"))
    kept = []
    for number, entry in enumerate(entries[:MAX_ENTRIES]):

        def line_of(*words: str, number: int = number) -> int:
            return lines.entry(number, *reversed(words))

        kept.append(_convert(entry, Entry, line_of, faults))
    if document is None:
        raise ProfileError(origin, faults)
    lines.keep([number for number, entry in enumerate(kept) if entry is not None])
    control = [entry for entry in kept if entry is not None]
    return msgspec.structs.replace(document, control=control), lines, faults


def _convert(data: Any, kind: type[Any], line_of: Any, faults: list[Fault]) -> Any:
    """Return a table as its struct; None, and a fault, if it is invalid."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        message, hint, words = _explain(str(error), kind)
        faults.append(Fault(line_of(*words), message, hint))
    except (RecursionError, OverflowError):
        faults.append(Fault(line_of(""), "a value that is too large", "write it smaller"))
    return None


def _explain(text: str, kind: type[Any]) -> tuple[str, str, list[str]]:
    """Return message, remedy, and the keys on the way to the place of an error of msgspec."""
    place = _PLACE.search(text)
    words = re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", place[1])) if place else []
    message = (text[: place.start()] if place else text).replace("`", "")
    owner = next((_TABLES[word] for word in reversed(words) if word in _TABLES), kind)
    unknown = _UNKNOWN.search(text)
    if unknown:
        known = owner.__struct_encode_fields__
        hint = did_you_mean(unknown[1], known) or f"there are {', '.join(known)}"
        return f'unknown key "{unknown[1]:.60}"', hint, [*words, unknown[1]]
    message = (message[:1].lower() + message[1:]).removeprefix("object ")
    said = f"{'.'.join(words)}: {message}" if words else message
    return f"{said:.300}", "see docs/profiles.md", words


def _check_lights(document: Document, found: Expansion, lines: Lines, faults: list[Fault]) -> None:
    """Add a fault for each lamp whose message cannot be made."""
    for each in found.assignments:
        if each.light is not None:
            physical = found.physicals[each.physical]
            try:
                check_light(each, physical, document.palette)
            except Refused as error:
                line = lines.entry(physical.entry, "light")
                faults.append(Fault(line, error.message, error.hint))


def _pattern(text: str) -> re.Pattern[str] | None:
    """Return the pattern of a port's name; one that may search for long is refused."""
    bare = _ESCAPED.sub("x", text)
    if re.search(r"\)[*+{]", bare) or sum(map(bare.count, "*+?{")) > MAX_QUANTIFIERS:
        raise Refused(
            f"the pattern {text!r:.80} repeats too much",
            f"repeat no group, and nothing more than {MAX_QUANTIFIERS} times",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # of a set within a set
            return re.compile(text, re.IGNORECASE) if text else None
    except (re.error, FutureWarning, OverflowError, RecursionError) as error:
        raise Refused(
            f"{text!r:.80} is not a regular expression: {error}", "escape ( ) [ ] . * + ? with \\"
        ) from None


def _identity(texts: str | list[str]) -> tuple[tuple[int | None, ...], ...]:
    words = [text.split() for text in ([texts] if isinstance(texts, str) else texts)]
    return tuple(tuple(None if w == "??" else _byte(w) for w in each) for each in words if each)


def _byte(word: str) -> int:
    if not re.fullmatch(r"[0-9A-Fa-f]{2}", word):
        raise Refused(f'"{word:.20}" is not a byte in hex', "write two digits: F0 7E 00 06 02")
    return int(word, 16)


def _messages(texts: Sequence[str]) -> list[bytes]:
    """Return messages that are written in hex; each has a status and is complete."""
    found = [bytes(map(_byte, text.split())) for text in texts]
    for message in found:
        check_message(message)
    return found
