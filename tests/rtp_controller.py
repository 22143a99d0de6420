"""A MIDI controller on the network, for tests: a session on two plain sockets, driven by `pump`."""

import socket
import time

from sfa_engine.surfaces.rtpmidi.packet import MAX_DATAGRAM, parse
from sfa_engine.surfaces.rtpmidi.session import Channel, Session, State

HOST = "127.0.0.1"


def free_pair():
    """Return the first of two neighbouring UDP ports that nobody has."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as first:
            first.bind((HOST, 0))
            port = first.getsockname()[1]
            with socket.socket(type=socket.SOCK_DGRAM) as second:
                try:
                    second.bind((HOST, port + 1))
                except (OSError, OverflowError):
                    continue
                return port


class NetworkController:
    """One controller, which invites an engine."""

    def __init__(self, name, port):
        self.port = port
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in Channel]
        for each in self.sockets:
            each.bind((HOST, 0))
            each.setblocking(False)
        self.session = Session(name, 4711, 99, time.monotonic_ns())
        self.heard = []

    def __enter__(self):
        give_up = time.monotonic() + 10
        while self.session.state is not State.OPEN:
            self.pump()
            assert time.monotonic() < give_up, "no session"
            time.sleep(0.002)
        return self

    def __exit__(self, *_):
        self.session.close()
        self.pump()
        for each in self.sockets:
            each.close()

    def pump(self):
        """Send and receive what there is."""
        now = time.monotonic_ns
        if now() >= self.session.deadline_ns:
            self.heard += [each.data for each in self.session.tick(now())]
        self._flush()
        for channel in Channel:
            while True:
                try:
                    data = self.sockets[channel].recv(MAX_DATAGRAM)
                except BlockingIOError:
                    break
                heard = self.session.receive(channel, parse(data), now())
                self.heard += [each.data for each in heard]
        self._flush()

    def send(self, *messages):
        """Send messages, each with its status."""
        self.session.send(messages, time.monotonic_ns())
        self.pump()

    def _flush(self):
        for channel, data in self.session.outbox:
            self.sockets[channel].sendto(data, (HOST, self.port + channel))
        self.session.outbox.clear()
