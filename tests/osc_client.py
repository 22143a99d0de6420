"""An OSC peer of the tests' own: python-osc's builder and parser on a plain socket."""

import socket
import time

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

TIMEOUT_S = 20.0


def message(address, *arguments):
    """Return an OSC message as python-osc builds it."""
    builder = OscMessageBuilder(address)
    for each in arguments:
        builder.add_arg(each)
    return builder.build()


def bundle(*messages, at_s=IMMEDIATELY):
    """Return the bytes of a bundle."""
    builder = OscBundleBuilder(at_s)
    for each in messages:
        builder.add_content(each)
    return builder.build().dgram


def free_port():
    """Return a port that neither UDP nor TCP has in use."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Client:
    """One that plays by UDP."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.connect((host, port))
        self.socket.settimeout(0.02)
        self.datagrams = 0
        self.told = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def send(self, address, *arguments):
        self.socket.send(message(address, *arguments).dgram)

    def read(self):
        """Return the messages that have come since the last call: addresses with arguments."""
        found = []
        try:
            while data := self.socket.recv(65536):
                assert len(data) <= 1400
                self.datagrams += 1
                found += [
                    (each.message.address, list(each.message)) for each in OscPacket(data).messages
                ]
        except (TimeoutError, ConnectionRefusedError):
            pass
        self.told += found
        return found

    def until(self, wanted, what):
        """Return the first message told so far, or soon, that is wanted."""
        give_up = time.monotonic() + TIMEOUT_S
        seen = 0
        while True:
            for each in self.told[seen:]:
                if wanted(*each):
                    return each
            seen = len(self.told)
            assert time.monotonic() < give_up, f"waited for {what}; told {self.told[-5:]}"
            self.read()

    def ask(self, address, *arguments, answer=None):
        """Send a message and return the arguments of its answer."""
        del self.told[:]
        self.send(address, *arguments)
        return self.until(lambda a, _: a == (answer or address), answer or address)[1]
