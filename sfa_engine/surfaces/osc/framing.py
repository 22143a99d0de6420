"""Packets on a stream: OSC 1.1 (SLIP, END before and after) and OSC 1.0 (int32 size). Pure.

A peer's first byte decides: an int32 below 16 MB begins with 0, SLIP with END or with the packet
itself.
"""

from __future__ import annotations

from sfa_engine.errors import ProtocolError
from sfa_engine.surfaces.osc.packet import MAX_PACKET

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
_SLIP_STARTS = frozenset({END, ord("/"), ord("#")})


class Framing:
    """One connection's packets, both ways.

    Attributes
    ----------
    dropped : int
        Packets that were too long.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._buffer = bytearray()
        self._is_slip: bool | None = None
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that are complete.

        Raises
        ------
        ProtocolError
            The stream has neither framing, or a size is invalid.
        """
        self._buffer += data
        if self._is_slip is None and self._buffer:
            first = self._buffer[0]
            if first and first not in _SLIP_STARTS:
                raise ProtocolError("the stream is not OSC", "use SLIP, or an int32 size")
            self._is_slip = first != 0
        return self._slip_packets() if self._is_slip else self._sized_packets()

    def _slip_packets(self) -> list[bytes]:
        *whole, rest = bytes(self._buffer).split(bytes([END]))
        packets = []
        for each in whole:
            if self._is_skipping or len(each) > 2 * MAX_PACKET:
                self._is_skipping = False
                self.dropped += 1
            elif each:
                packets.append(_unescaped(each))
        if len(rest) > 2 * MAX_PACKET:  # every byte may be escaped
            rest, self._is_skipping = b"", True
        self._buffer[:] = rest if not self._is_skipping else b""
        return packets

    def _sized_packets(self) -> list[bytes]:
        packets, at, buffer = [], 0, self._buffer
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if size > MAX_PACKET:
                raise ProtocolError(f"a packet of {size} bytes", f"send at most {MAX_PACKET}")
            if len(buffer) - at - 4 < size:
                break
            packets.append(bytes(buffer[at + 4 : at + 4 + size]))
            at += 4 + size
        del buffer[:at]
        return packets

    def frame(self, packet: bytes) -> bytes:
        """Return a packet with its framing."""
        if self._is_slip is False:
            return len(packet).to_bytes(4, "big") + packet
        end = bytes([END])
        escaped = packet.replace(bytes([ESC]), bytes([ESC, ESC_ESC]))
        return end + escaped.replace(end, bytes([ESC, ESC_END])) + end


def _unescaped(data: bytes) -> bytes:
    plain = data.replace(bytes([ESC, ESC_END]), bytes([END]))
    return plain.replace(bytes([ESC, ESC_ESC]), bytes([ESC]))
