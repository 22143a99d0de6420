"""What an edit changed, place by place: redone and undone without the code that made it. Pure.

A change names a place (``clips.12``, ``tempo``), and what was and is there, as JSON has it; None:
nothing. Applied the other way round it is the change's inverse.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sfa_engine.errors import MediaError
from sfa_engine.studio.arrangement import Arrangement, Clip, Lane, Marker

_KINDS: dict[str, type[Any]] = {"clips": Clip, "lanes": Lane, "markers": Marker}
_TYPES = {field.name: field.type for field in msgspec.structs.fields(Arrangement)}


class Change(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A place, what was there before, and what is there after; None: nothing."""

    place: str
    before: Any
    after: Any

    @property
    def inverse(self) -> Change:
        """The change back."""
        return Change(self.place, self.after, self.before)


def difference(before: Arrangement, after: Arrangement) -> tuple[Change, ...]:
    """Return the changes that lead from one arrangement to another."""
    found = []
    for name in _TYPES:
        old, new = getattr(before, name), getattr(after, name)
        if name in _KINDS:
            found += [
                Change(f"{name}.{number}", _plain(old.get(number)), _plain(new.get(number)))
                for number in sorted(old.keys() | new.keys())
                if old.get(number) != new.get(number)
            ]
        elif old != new:
            found.append(Change(name, _plain(old), _plain(new)))
    return tuple(found)


def apply(arrangement: Arrangement, changes: tuple[Change, ...]) -> Arrangement:
    """Return an arrangement with changes applied; it is not checked.

    Raises
    ------
    MediaError
        What is there is not what was there when the change was made, or it is not a change of an
        arrangement.
    """
    values = {name: getattr(arrangement, name) for name in _TYPES}
    for name in _KINDS:
        values[name] = dict(values[name])
    for change in changes:
        name, _, number = change.place.partition(".")
        try:
            if name in _KINDS:
                _place(values[name], int(number), change, _KINDS[name])
            else:
                _expect(values[name], change)
                values[name] = msgspec.convert(change.after, _TYPES[name])
        except (KeyError, ValueError, msgspec.ValidationError) as problem:
            raise MediaError(
                f'invalid change of "{change.place:.40}": {problem}', "restore the log"
            ) from None
    for name in _KINDS:
        values[name] = dict(sorted(values[name].items()))
    return Arrangement(**values)


def _place(items: dict[int, Any], number: int, change: Change, kind: type[Any]) -> None:
    _expect(items.get(number), change)
    if change.after is None:
        items.pop(number, None)
    else:
        items[number] = msgspec.convert(change.after, kind, str_keys=True)


def _expect(there: object, change: Change) -> None:
    if _plain(there) != change.before:
        raise ValueError("something else is there")


def _plain(value: object) -> Any:
    """Return a value as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))
