"""`sfa webhook`: add, list, show, set, rotate, test, deliveries, send-again, remove."""

import json

import pytest
from standardwebhooks import Webhook as Reader
from webhook_receiver import receiver

from sfa_engine.cli import completion

pytestmark = pytest.mark.slow


@pytest.fixture
def allowed(tmp_path, sfa):
    (tmp_path / "config.toml").write_text('[webhooks]\nallow = ["127.0.0.0/8"]\n')
    return sfa


def said(result):
    status, output, errors = result
    assert status == 0, errors
    return output


def test_a_webhook_from_its_beginning_to_its_end(allowed):
    with receiver() as here:
        output = said(
            allowed("webhook", "add", here.url, "--event", "job.failed", "--description", "lamp")
        )
        first, secret = output.splitlines()
        assert first == "webhook 1: job.failed; its secret, shown only now:"
        assert secret.startswith("whsec_")
        listed = said(allowed("webhook", "list"))
        assert here.url in listed
        assert secret not in listed
        assert "it answered 204 after" in said(allowed("webhook", "test", 1))
        (message,) = here.messages
        assert Reader(secret).verify(message.body, message.headers)["type"] == "webhook.test"
        here.answers = [503]
        assert allowed("webhook", "test", 1) == (1, "", "sfa: it answered 503\n")
        here.answers = [503]
        status, output, _ = allowed("webhook", "test", 1, "--json")
        assert (status, json.loads(output)["status"]) == (1, 503)
        new = said(allowed("webhook", "rotate", 1)).strip()
        assert new.startswith("whsec_")
        assert new != secret
        shown = said(allowed("webhook", "set", 1, "--event", "*", "--inactive"))
        assert "not active; events: *" in shown
        assert "the old secret signs too" in shown
        found = json.loads(said(allowed("webhook", "show", 1, "--json")))
        assert (found["description"], found["events"]) == ("lamp", ["*"])
        assert found["active"] is False
        assert allowed("webhook", "deliveries") == (0, "", "nothing was sent\n")
        assert json.loads(said(allowed("webhook", "deliveries", "--json"))) == []
        assert said(allowed("webhook", "remove", 1)) == f"removed: {here.url}\n"
        assert allowed("webhook", "list")[1:] == (
            "",
            "no webhooks; add one with `sfa webhook add URL`\n",
        )


def test_a_failed_job_is_delivered_and_sent_again(allowed, tmp_path):
    (tmp_path / "damaged.wav").write_bytes(b"RIFF and no more")
    with receiver() as here:
        here.answers = [410]
        said(allowed("webhook", "add", here.url))
        assert allowed("prep", tmp_path / "damaged.wav", "--no-stems")[0] != 0
        here.wait(1)
        _, row = said(allowed("webhook", "deliveries")).splitlines()
        assert row.split()[:3] == ["1", "1", "job.failed"]
        assert row.endswith("failed  1      it wants no more messages (410)")
        status, _, errors = allowed("webhook", "send-again", 1)
        assert status == 1
        assert "webhook 1 is not active; `sfa webhook set 1 --active`" in errors
        said(allowed("webhook", "set", 1, "--active"))
        assert "is sent again to webhook 1" in said(allowed("webhook", "send-again", 1))
        first, second = here.wait(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "http://10.0.0.1/"), "10.0.0.1 is not an address of the internet; name its"),
        (("add", "lamp"), '"lamp" is not a URL of the web; as https://example.org/hook'),
        (("add", "https://example.org", "--event", "x"), "track.downloaded"),
        (("show", "7"), "no webhook 7; see `sfa webhook list`"),
        (("send-again", "7"), "no delivery 7; see `sfa webhook deliveries`"),
        (("test", "0"), "0"),
    ],
)
def test_a_mistake_is_told_in_one_line(sfa, words, why):
    status, output, errors = sfa("webhook", *words)
    assert status != 0
    assert output == ""
    assert why in errors
    assert len(errors.splitlines()) == 1


def test_a_network_that_is_none_is_refused_with_its_key(sfa, tmp_path):
    (tmp_path / "config.toml").write_text('[webhooks]\nallow = ["192.168.1.7/24"]\n')
    status, _, errors = sfa("webhook", "list")
    assert status == 1
    assert "webhooks.allow has '192.168.1.7/24'" in errors
    assert "as 192.168.1.0/24" in errors


def test_numbers_of_webhooks_are_completed():
    assert completion._ARGUMENTS["rotate", "webhook"] is completion.webhooks
    assert completion.webhooks(None, None, "") == []  # without a backstage, nothing
