"""Which requests are served at all."""

import pytest

from sfa_engine.web.guard import Sender, host_name, is_loopback, is_ours, sender


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8952",
        "192.168.7.7",
        "[::1]:8952",
        "[fe80::1]",
        "localhost",
        "LOCALHOST:1",
        "sfa.local",
        "sfa.local.:8952",
        "pi:8952",
        "stage_2",
        "sfa.example.org",
    ],
)
def test_names_of_this_machine_are_served(host):
    assert is_ours(host, {"sfa.example.org"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8952",
        "127.0.0.1.example.org",
        "example.org",
        "evil.local.example.org",
        "localhost.example.org",
        "pi:notaport",
        "pi:123456",
        "[::1",
        "[::1]x",
        "[evil.example.org]:1x",
        "a..local",
        "-.local",
        "pi/..",
        "user@pi",
        "sfa.example.org.evil.example",
        "2130706433",
        "0x7f000001",
        "0x",
        "[127.0.0.1]",
        "[localhost]",
        "127.0.0.1,evil.example",
    ],
)
def test_a_name_that_could_be_public_is_not_served(host):
    assert not is_ours(host, {"sfa.example.org"})


def test_the_port_is_no_part_of_the_name():
    assert host_name("[::1]:80") == "::1"
    assert host_name("Pi:80") == "pi"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses_are_the_machine_itself(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "192.168.1.2", "::ffff:10.0.0.1", "fe80::1%eth0", "x"])
def test_other_addresses_are_not(address):
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec-fetch-site": "same-origin"}, Sender.OURS),
        ({"sec-fetch-site": "none"}, Sender.OURS),
        ({"sec-fetch-site": "same-site"}, Sender.OTHER),  # another port of this machine
        ({"sec-fetch-site": "cross-site"}, Sender.OTHER),
        ({"sec-fetch-site": "same-site", "origin": "http://pi:8952"}, Sender.OTHER),
        ({"origin": "http://pi:8952"}, Sender.OURS),
        ({"origin": "http://PI:8952"}, Sender.OURS),
        ({"origin": "http://pi:8953"}, Sender.OTHER),
        ({"origin": "http://pi"}, Sender.OTHER),
        ({"origin": "null"}, Sender.OTHER),
        ({"origin": ""}, Sender.OTHER),
        ({}, Sender.PROGRAM),
    ],
)
def test_a_browser_says_whose_page_changes_something(headers, expected):
    assert sender("POST", {"host": "pi:8952", **headers}) is expected
    assert sender("DELETE", {"host": "pi:8952", **headers}) is expected


def test_a_read_may_come_from_anywhere():
    assert sender("GET", {"host": "pi", "origin": "http://evil.example"}) is Sender.OURS
