"""Why a provider did not answer, and what the router may do about it. Pure.

==============  =========================================  ==============  =======================
kind            when                                       same provider   provider's state
==============  =========================================  ==============  =======================
bad_request     400, 422                                   no              unchanged
key_refused     401, 403                                   no              key refused
quota           402, a spent quota, a wait of over 20 s    no              out of quota until …
not_found       404                                        no              unchanged
too_long        413, a prompt beyond the context           no              unchanged
rate_limit      429                                        once            unchanged
busy            408, 409, 500, 502, 503, 504, 529 …        once            unchanged
unreachable     no connection, or one that was cut         once            unreachable
bad_answer      malformed, too large                       no              unchanged
interrupted     after a piece of the answer was shown      never           unchanged
budget          the question's budget is spent             never           unchanged
==============  =========================================  ==============  =======================

After *no* the next provider is tried.
"""

from __future__ import annotations

from typing import Literal

from sfa_engine.agents.llm.message import Usage
from sfa_engine.errors import SfaError

Kind = Literal[
    "bad_request", "key_refused", "quota", "not_found", "too_long", "rate_limit", "busy",
    "unreachable", "bad_answer", "interrupted", "budget",
]  # fmt: skip
RETRIED: frozenset[Kind] = frozenset({"rate_limit", "busy", "unreachable"})
HINTS: dict[Kind, str] = {
    "bad_request": "choose another model: see `sfa llm models`",
    "key_refused": "give a valid key: `sfa llm add`",
    "quota": "add credit at the provider, or another provider: `sfa llm add`",
    "not_found": "choose a model that it has: see `sfa llm models`",
    "too_long": "ask for less at once, or use a model with a longer context",
    "rate_limit": "try again in a minute",
    "busy": "try again in a minute",
    "unreachable": "check its address and the network: `sfa llm test`",
    "bad_answer": "ask again, or use another model",
    "interrupted": "ask again",
    "budget": "ask a smaller question, or change [agents] in the configuration",
}
_BY_STATUS: dict[int, Kind] = {
    401: "key_refused",
    402: "quota",
    403: "key_refused",
    404: "not_found",
    408: "busy",
    409: "busy",
    413: "too_long",
    429: "rate_limit",
}


class LlmError(SfaError):
    """A provider, or all of them, did not answer.

    Parameters
    ----------
    message : str
        Without keys.
    kind : Kind
    status : int
        Of HTTP; 0 without a response.
    retry_after_s : float, optional
        Seconds that the provider asks to wait.
    may_retry : bool
        False if the provider says that a retry is useless.
    usage : Usage
        That is billed all the same, if the provider said.
    """

    code = "llm"

    def __init__(
        self,
        message: str,
        kind: Kind,
        *,
        status: int = 0,
        retry_after_s: float | None = None,
        may_retry: bool = True,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message, HINTS[kind])
        self.kind: Kind = kind
        self.status = status
        self.retry_after_s = retry_after_s
        self.may_retry = may_retry
        self.usage = usage or Usage()

    @property
    def is_retried(self) -> bool:
        """Whether the same provider may be asked once more."""
        return self.may_retry and self.kind in RETRIED


def kind_of(status: int) -> Kind:
    """Return the kind of a status of HTTP; a redirect means that the address is wrong."""
    if status >= 500:
        return "busy"
    if 300 <= status < 400:
        return "unreachable"
    return _BY_STATUS.get(status, "bad_request")
