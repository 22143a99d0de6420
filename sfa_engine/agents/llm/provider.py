"""The nine adapters, and providers made of them. Pure.

An adapter is a dialect with an address, headers, and paths that cost nothing. ``system`` is no
address of its own: it stands for what the environment variables of backstage name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sfa_engine.agents.llm.anthropic import Anthropic
from sfa_engine.agents.llm.dialect import Dialect, Quirks
from sfa_engine.agents.llm.gemini import Gemini
from sfa_engine.agents.llm.ollama import Ollama
from sfa_engine.agents.llm.openai_chat import OpenAiChat
from sfa_engine.errors import Refused, did_you_mean

ANTHROPIC_VERSION = "2026-10-21"  # as its SDK 2.14 sends
MAX_URL = 500
MAX_KEY = 4096
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SYSTEM = "system"
_KEY = re.compile(r"[\x21-\x7e]+")  # what a header may hold; a line break would end it
_HEADERS = {"bearer": ("authorization", "Bearer ")}


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one kind of provider is reached.

    Attributes
    ----------
    name : str
    dialect : Dialect, optional
        None for `system`.
    url : str
        Usual address; empty where each user has another.
    key_header : str
        Header of the key; ``bearer`` is ``Authorization: Bearer``.
    needs_key : bool
    health, models : str
        Paths that cost nothing; the second lists models.
    key_env, url_env : tuple of str
        Environment variables, the first that is set.
    model_env : str
        Environment variable of the model, where the registry cannot know it.
    headers : mapping
        Sent always.
    quirks : Quirks
    is_local : bool
        Whether it runs on the user's own machines, where no token is billed.
    """

    name: str
    dialect: Dialect | None = None
    url: str = ""
    key_header: str = "bearer"
    needs_key: bool = True
    health: str = "/models"
    models: str = "/models"
    key_env: tuple[str, ...] = ()
    url_env: tuple[str, ...] = ()
    model_env: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    is_local: bool = False


OPENAI = OpenAiChat()
ADAPTERS: dict[str, Adapter] = {
    each.name: each
    for each in (
        Adapter(
            "anthropic",
            Anthropic(),
            "https://api.anthropic.com",
            key_header="x-api-key",
            health="/v1/models",
            models="/v1/models",
            key_env=("ANTHROPIC_API_KEY",),
            headers={"anthropic-version": ANTHROPIC_VERSION},
            quirks=Quirks(strict=True),
        ),
        Adapter(
            "openai",
            OPENAI,
            "https://api.openai.com/v1",
            key_env=("OPENAI_API_KEY",),
            url_env=("OPENAI_BASE_URL",),
            quirks=Quirks(max_tokens="max_completion_tokens", strict=True),
        ),
        Adapter(
            "azure_openai",
            OPENAI,
            key_header="api-key",
            health="/openai/v1/models",
            models="/openai/v1/models",
            key_env=("AZURE_OPENAI_API_KEY",),
            url_env=("AZURE_OPENAI_ENDPOINT",),
            model_env="AZURE_OPENAI_DEPLOYMENT",
            quirks=Quirks(max_tokens="max_completion_tokens", strict=True),
        ),
        Adapter(
            "google_gemini",
            Gemini(),
            "https://generativelanguage.googleapis.com",
            key_header="x-goog-api-key",
            health="/v1beta/models",
            models="/v1beta/models?pageSize=1000",
            key_env=("GOOGLE_AI_API_KEY", "GEMINI_API_KEY"),
        ),
        Adapter(
            "ollama",
            Ollama(),
            "http://localhost:11434",
            needs_key=False,
            health="/api/tags",
            models="/api/tags",
            url_env=("OLLAMA_BASE_URL",),
            is_local=True,
        ),
        Adapter("lm_studio", OPENAI, "http://localhost:1234/v1", needs_key=False, is_local=True),
        Adapter(
            "litellm",
            OPENAI,
            needs_key=False,
            health="/health/liveliness",  # `/health` calls every model, at the user's cost
            models="/v1/models",
            key_env=("LITELLM_API_KEY",),
            url_env=("LITELLM_BASE_URL",),
        ),
        Adapter("custom_openai", OPENAI, needs_key=False),
        Adapter(SYSTEM, needs_key=False),
    )
}


@dataclass(frozen=True)
class Provider:
    """A provider that a user may ask.

    Attributes
    ----------
    name : str
    adapter : Adapter
    url : str
        Without a slash at the end.
    model : str
        Empty for the registry's usual one, or the first that it lists.
    key : str
        Not shown by `repr`; empty if there is none.
    api_version : str
        Of Azure's older address.
    is_system : bool
        Whether it comes from the environment.
    """

    name: str
    adapter: Adapter
    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    api_version: str = ""
    is_system: bool = False

    @property
    def dialect(self) -> Dialect:
        """Its dialect."""
        assert self.adapter.dialect is not None, "system is expanded before"
        return self.adapter.dialect

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request, with the key."""
        found = {"accept-encoding": "identity", **self.adapter.headers}
        if self.key:
            name, prefix = _HEADERS.get(self.adapter.key_header, (self.adapter.key_header, ""))
            found[name] = prefix + self.key
        return found

    def is_free(self, model: str) -> bool:
        """Return whether a model is of this machine, where no token is billed.

        Ollama forwards those whose names end with ``cloud``.
        """
        host = urlsplit(self.url).hostname
        return self.adapter.is_local and host in LOOPBACK and not model.endswith("cloud")

    def address(self, path: str) -> str:
        """Return the address of a path of its dialect or adapter."""
        if self.adapter.name == "azure_openai" and path.startswith("/chat/"):
            path = f"/openai/v1{path}"
        elif self.adapter.name == "litellm" and path.startswith("/chat/"):
            path = f"/v1{path}"
        return self.url + path

    def redacted(self, text: str) -> str:
        """Return a text of the provider without the key: some repeat it in their errors."""
        return text.replace(self.key, "***") if self.key else text


def adapter_of(name: str) -> Adapter:
    """Return an adapter by its name.

    Raises
    ------
    Refused
        There is none, or it is `system`, which cannot be added.
    """
    if name == SYSTEM:
        raise Refused(
            "system stands for the environment of backstage", "set OPENAI_API_KEY … there"
        )
    if name not in ADAPTERS:
        names = [each for each in ADAPTERS if each != SYSTEM]
        raise Refused(
            f'no adapter "{name:.40}"', did_you_mean(name, names) or f"choose {', '.join(names)}"
        )
    return ADAPTERS[name]


def provider(
    name: str,
    adapter: str,
    url: str = "",
    model: str = "",
    key: str = "",
    api_version: str = "",
    *,
    is_system: bool = False,
) -> Provider:
    """Return a provider after checking what it is made of.

    Raises
    ------
    Refused
        The adapter is unknown, the address or key is missing or invalid.
    """
    found = adapter_of(adapter)
    if api_version and adapter != "azure_openai":
        raise Refused(f"{adapter} has no api_version", "leave it out")
    address = check_url(url or found.url, adapter)
    check_key(key)
    if found.needs_key and not key:
        raise Refused(f"{adapter} needs a key", "give it at the prompt, or on standard input")
    return Provider(name, found, address, model, key, api_version, is_system)


def check_key(key: str) -> None:
    """Refuse a key that no header can hold; the message does not repeat it."""
    if key and (len(key) > MAX_KEY or not _KEY.fullmatch(key)):
        raise Refused("the key has spaces or other characters in it", "copy it again, whole")


def check_url(url: str, adapter: str) -> str:
    """Return an address without its last slash.

    Raises
    ------
    Refused
        It is not the address of a provider; one that could hold a key is not repeated.
    """
    hint = "as http://localhost:8080/v1"
    if not url:
        raise Refused(f"{adapter} has no usual address", f"give --url, {hint}")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise Refused("the address is not a URL", hint) from None
    if parts.username is not None or parts.password is not None:
        raise Refused("the address has a password in it", "give the key apart")
    if parts.query or parts.fragment:
        raise Refused("the address has a query or a fragment", "end it before ? or #")
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL
    if parts.scheme not in {"http", "https"} or not host or port == 0 or not is_plain:
        raise Refused(f"{url!r:.80} is not an address of a provider", hint)
    return url.rstrip("/")


def system_providers(environment: Mapping[str, str]) -> list[Provider]:
    """Return the providers that environment variables name, in the order of the adapters."""
    found = []
    for adapter in ADAPTERS.values():
        key = _first(environment, adapter.key_env)
        url = _first(environment, adapter.url_env)
        if not (key or url) or adapter.dialect is None:
            continue
        model = environment.get(adapter.model_env, "") if adapter.model_env else ""
        try:
            found.append(
                provider(
                    f"{SYSTEM}-{adapter.name.replace('_', '-')}",
                    adapter.name,
                    url,
                    model,
                    key,
                    is_system=True,
                )
            )
        except Refused:  # a key without the address that belongs to it, or the reverse
            continue
    return found


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name].strip() for name in names if environment.get(name)), "")
