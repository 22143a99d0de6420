"""Providers: what they are made of, those of the environment, and keys that stay hidden."""

from __future__ import annotations

import pytest
from fake_llm import KEY

from sfa_engine.agents.llm.provider import ADAPTERS, provider, system_providers
from sfa_engine.errors import Refused


def test_there_are_nine_adapters():
    assert set(ADAPTERS) == {
        *("anthropic", "openai", "azure_openai", "google_gemini", "ollama", "lm_studio"),
        *("litellm", "custom_openai", "system"),
    }


@pytest.mark.parametrize(
    ("adapter", "url", "key", "message"),
    [
        ("anthropik", "", KEY, 'no adapter "anthropik"; did you mean "anthropic"?'),
        ("system", "", KEY, "system stands for the environment of backstage"),
        ("anthropic", "", "", "anthropic needs a key"),
        ("anthropic", "", f"{KEY}\n", "the key has spaces or other characters"),
        ("anthropic", "", f"{KEY} {KEY}", "the key has spaces or other characters"),
        ("anthropic", "", f"{KEY}é", "the key has spaces or other characters"),
        ("anthropic", "", KEY * 200, "the key has spaces or other characters"),
        ("azure_openai", "", KEY, "azure_openai has no usual address"),
        ("custom_openai", "", "", "custom_openai has no usual address"),
        ("openai", "ftp://host", KEY, "is not an address of a provider"),
        ("openai", "host:80", KEY, "is not an address of a provider"),
        ("openai", "http://host:0", KEY, "is not an address of a provider"),
        ("openai", "http://ho st/", KEY, "is not an address of a provider"),
        ("openai", "http://[::1", KEY, "the address is not a URL"),
        ("openai", f"http://{KEY}@host", KEY, "the address has a password in it"),
        ("openai", f"http://host/v1?key={KEY}", KEY, "the address has a query"),
    ],
)
def test_what_cannot_be_a_provider_is_refused_without_its_key(adapter, url, key, message):
    with pytest.raises(Refused) as caught:
        provider("x", adapter, url, key=key)
    assert message in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_key_is_in_no_representation():
    made = provider("x", "openai", key=KEY)
    assert KEY not in repr(made)
    assert KEY not in made.address("/chat/completions")
    assert made.headers["authorization"] == f"Bearer {KEY}"


def test_providers_of_the_environment_are_in_the_adapters_order():
    found = system_providers(
        {
            "GEMINI_API_KEY": "g",
            "OPENAI_API_KEY": " o ",
            "OPENAI_BASE_URL": "http://proxy:1/v1/",
            "OLLAMA_BASE_URL": "http://big:11434",
            "AZURE_OPENAI_API_KEY": "no address",
            "ANTHROPIC_API_KEY": "",
            "LITELLM_BASE_URL": "nonsense",
        }
    )
    assert [(each.name, each.url, each.key) for each in found] == [
        ("system-openai", "http://proxy:1/v1", "o"),
        ("system-google-gemini", "https://generativelanguage.googleapis.com", "g"),
        ("system-ollama", "http://big:11434", ""),
    ]
    assert all(each.is_system for each in found)
    azure = system_providers(
        {
            "AZURE_OPENAI_API_KEY": "a",
            "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/",
            "AZURE_OPENAI_DEPLOYMENT": "mine",
        }
    )
    assert [(each.model, each.url) for each in azure] == [("mine", "https://x.openai.azure.com")]


@pytest.mark.parametrize(
    ("adapter", "url", "model", "is_free"),
    [
        ("ollama", "", "qwen3", True),
        ("ollama", "", "gpt-oss:120b-cloud", False),
        ("ollama", "https://ollama.com", "qwen3", False),
        ("lm_studio", "http://127.0.0.1:1234/v1", "", True),
        ("custom_openai", "http://localhost:8080/v1", "", False),
    ],
)
def test_only_a_model_of_this_machine_is_free(adapter, url, model, is_free):
    assert provider("x", adapter, url).is_free(model) is is_free
