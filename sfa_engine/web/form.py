"""The two forms of the channel's messages: JSON text and msgpack. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sfa_engine.errors import Refused
from sfa_engine.wire.frames import UNREADABLE

Data = str | bytes
_FLOAT = struct.Struct(">Bf")
_FLOAT32 = 0xCA
MAX_FLOAT = 3.4e38  # of 32 bits
_ARRAY16 = struct.Struct(">BH")
_IS_ARRAY16 = 0xDC
_JSON = msgspec.json.Encoder()
_MSGPACK = msgspec.msgpack.Encoder()
_JSON_ANY = msgspec.json.Decoder()
_MSGPACK_ANY = msgspec.msgpack.Decoder()
# Read first: a list that announces four billion items is refused before it is allocated.
_MSGPACK_RAW = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Form:
    """How messages are written.

    Attributes
    ----------
    name : str
        Of the subprotocol.
    kind : type
        Of a message: str or bytes.
    encode, decode : callable
        `decode` raises what `UNREADABLE` lists.
    encode_values : callable
        Returns an array of values to be part of a message.
    """

    name: str
    kind: type
    encode: Callable[[Any], Data]
    decode: Callable[[Any], Any]
    encode_values: Callable[[Sequence[Any]], Any]

    def parse(self, data: Data) -> Mapping[str, Any]:
        """Return a client's message.

        Raises
        ------
        Refused
            It is not an object.
        """
        try:
            found = self.decode(data)
        except UNREADABLE as error:
            raise Refused(f"the message cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise Refused("the message is not an object", 'send {"join": "jobs"}, say')
        return found


def _decode_msgpack(data: bytes) -> Any:
    _MSGPACK_RAW.decode(data)
    return _MSGPACK_ANY.decode(data)


def _single_floats(values: Sequence[Any]) -> msgspec.Raw:
    """Return an array with floats of 32 bits: half the size, and exact enough for pictures."""
    parts = [_ARRAY16.pack(_IS_ARRAY16, len(values))]
    for value in values:
        if isinstance(value, float) and not MAX_FLOAT < abs(value) < math.inf:
            parts.append(_FLOAT.pack(_FLOAT32, value))
        else:
            parts.append(_MSGPACK.encode(value))
    return msgspec.Raw(b"".join(parts))


JSON = Form("sfa.json", str, lambda value: _JSON.encode(value).decode(), _JSON_ANY.decode, list)
MSGPACK = Form("sfa.msgpack", bytes, _MSGPACK.encode, _decode_msgpack, _single_floats)
FORMS = {form.name: form for form in (JSON, MSGPACK)}


def form_of(offered: Sequence[str]) -> tuple[Form, str | None]:
    """Return the form of a connection, and the subprotocol to confirm.

    Parameters
    ----------
    offered : sequence of str
        Subprotocols, the preferred one first.

    Raises
    ------
    Refused
        None of them is known.
    """
    if not offered:
        return JSON, None
    for name in offered:
        if name in FORMS:
            return FORMS[name], name
    raise Refused(f'no subprotocol "{offered[0]:.40}"', f"offer {' or '.join(FORMS)}, or none")
