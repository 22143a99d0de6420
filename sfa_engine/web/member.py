"""A client of the channel as the topics see it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from sfa_engine.web.form import Form
from sfa_engine.web.outbox import Outbox
from sfa_engine.web.rights import Actor
from sfa_engine.web.topics import AWAY, Topic, message


class Member:
    """A client: who it is, how it is spoken to, and what waits for it.

    Parameters
    ----------
    actor : Actor
    form : Form

    Attributes
    ----------
    joined : dict of Topic to params
        Its topics.
    """

    def __init__(self, actor: Actor, form: Form) -> None:
        self.actor = actor
        self.form = form
        self.outbox = Outbox()
        self.joined: dict[Topic, Any] = {}

    def send(self, topic: Topic, event: str, data: Any, key: Hashable = None) -> None:
        """Send a message of a topic; a newer one with the same key takes its place."""
        self.send_made(topic, event, lambda: data, key)

    def send_made(
        self, topic: Topic, event: str, make: Callable[[], Any], key: Hashable = None
    ) -> None:
        """Send a message whose data are made when it is sent."""
        self.outbox.put(
            lambda: self.form.encode(message(topic, event, make())),
            None if key is None else (topic, key),
        )

    def drop(self, topic: Topic, key: Hashable) -> None:
        """Leave out a message that waits."""
        self.outbox.drop((topic, key))

    def send_away(self, topic: Topic) -> None:
        """Say that a topic's server is away."""
        self.send(topic, AWAY, None, AWAY)
