"""HTTP as bytes, from any address of this machine: what no HTTP client would send."""

import itertools
import json
import re
import socket

_ADDRESSES = itertools.count(1)
TIMEOUT_S = 30.0


def new_address():
    """Return a loopback address that no test has used: rates are counted by address."""
    number = next(_ADDRESSES)
    return f"127.77.{number >> 8}.{number & 255}"


def connected(port, source=None):
    """Return a connection from an address."""
    return socket.create_connection(
        ("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(source or new_address(), 0)
    )


class Answer:
    """All that came on a connection until it was closed, and its first answer."""

    def __init__(self, data: bytes):
        self.data = data
        self.count = len(re.findall(rb"HTTP/1\.1 \d{3} [A-Z][A-Za-z -]+\r\n", data))  # answers
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if data else 0
        self.headers = [tuple(line.lower().split(": ", 1)) for line in lines[1:]]

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.data[:600]!r}"


def sent(port, data: bytes, source=None) -> Answer:
    """Send bytes; return what comes until the server closes the connection."""
    with connected(port, source) as connection:
        connection.sendall(data)
        parts = []
        try:
            while part := connection.recv(65_536):
                parts.append(part)
        except ConnectionResetError:  # it did not read all
            pass
        return Answer(b"".join(parts))


def request(port, line, *headers, body=b"", host=None) -> bytes:
    """Return a request; a body has its length, unless a header says otherwise."""
    fields = [f"Host: {f'127.0.0.1:{port}' if host is None else host}", "Connection: close"]
    fields += headers
    given = {field.partition(":")[0].lower() for field in headers}
    if body and not given & {"content-length", "transfer-encoding"}:
        fields.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([f"{line} HTTP/1.1", *fields])
    return head.encode("latin-1") + b"\r\n\r\n" + body
