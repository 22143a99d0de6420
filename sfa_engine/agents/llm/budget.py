"""What a question may cost: attempts, rounds, seconds, tokens, and money a day. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.settings import AgentsConfig

MAX_FAILURES = 4  # attempts that fail, in all rounds of a question together
MAX_ROUNDS = 1 + 8  # a model is asked, and again after each round of tools
LEAST_TOKENS = 16  # for an answer; less is not worth the input


@dataclass
class DayBudget:
    """What an account may spend today; shared by its questions, so that two do not spend it twice.

    Attributes
    ----------
    cap_usd : float
        0: no limit.
    spent_usd : float
        With what answers in progress may cost at most.
    """

    cap_usd: float = 0.0
    spent_usd: float = 0.0

    def reserve(self, usd: float) -> bool:
        """Set aside what an answer may cost; return False if that is more than is left."""
        if self.cap_usd and usd and self.spent_usd + usd > self.cap_usd:
            return False
        self.spent_usd += usd
        return True

    def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """Count what an answer did cost in place of what was set aside."""
        self.spent_usd += (cost_usd or 0.0) - reserved_usd


@dataclass
class Question:
    """The budget of one question, with all its rounds.

    Attributes
    ----------
    now : callable
        Seconds that pass evenly.
    max_tokens : int
    max_seconds : float
    day : DayBudget
    """

    now: Callable[[], float]
    max_tokens: int = AgentsConfig.tokens
    max_seconds: float = AgentsConfig.seconds
    day: DayBudget = field(default_factory=DayBudget)
    rounds: int = 0
    failures: int = 0
    tokens: int = 0
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = self.now()

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.began_s + self.max_seconds - self.now()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock, as while rules answer, whose time has a limit of its own."""
        stopped_s = self.now()
        try:
            yield
        finally:
            self.began_s += self.now() - stopped_s

    def begin_round(self) -> None:
        """Count a round.

        Raises
        ------
        LlmError
            There were too many.
        """
        if self.rounds >= MAX_ROUNDS:
            raise LlmError(f"the question took {MAX_ROUNDS - 1} rounds of tools", "budget")
        self.rounds += 1

    def answer_tokens(self, request_tokens: int, wanted: int) -> int:
        """Return how many tokens an answer may have.

        Raises
        ------
        LlmError
            No time is left, or too few tokens.
        """
        if self.left_s <= 0:
            raise LlmError(f"the question took {self.max_seconds:g} s", "budget")
        left = self.max_tokens - self.tokens - request_tokens
        if left < min(LEAST_TOKENS, wanted):
            raise LlmError(
                f"the question needs more than {self.max_tokens} tokens: {self.tokens} are spent,"
                f" about {request_tokens} are to be sent",
                "budget",
            )
        return min(left, wanted)
