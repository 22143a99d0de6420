"""What a webhook may connect to: addresses of the internet, and networks that are allowed."""

import asyncio
import datetime as dt
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from webhook_receiver import receiver

from sfa_engine.backstage.webhooks.address import check_url, is_allowed, networks_of
from sfa_engine.backstage.webhooks.network import resolve
from sfa_engine.backstage.webhooks.post import Poster
from sfa_engine.errors import Refused

INSIDE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.7.7"),  # noqa: S104 - refused
    *("169.254.169.254", "100.64.0.1", "192.0.0.1", "198.18.0.1", "203.0.113.5", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
    *(
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
    ),
    *("fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"),
    *("", "localhost", "127.0.0.1:80", "2130706433"),
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_the_network_is_refused(address):
    assert not is_allowed(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_allowed(address):
    assert is_allowed(address)


def test_a_configured_network_is_allowed_and_no_other():
    networks = networks_of(["192.168.1.0/24", "fd00::/8"])
    for address in ("192.168.1.7", "::ffff:192.168.1.7", "fd00::1"):
        assert is_allowed(address, networks)
    for address in ("192.168.2.7", "127.0.0.1", "fe80::1", "64:ff9b::c0a8:107"):
        assert not is_allowed(address, networks)


# Every spelling that the system's resolver takes for this machine.
SPELLINGS = [
    *("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "017700000001"),
    *("0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "LOCALHOST"),  # noqa: S104 - refused
    *("169.254.169.254", "[fe80::1]", "127.0.0.1."),
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_gets_a_request(host):
    with receiver() as here:
        url = f"http://{host}:{here.port}/hook"
        answer = asyncio.run(Poster().send(url, {}, b"{}"))
    assert answer.status is None
    assert here.messages == []
    assert answer.error
    if host != "127.0.0.1.":  # unknown to some resolvers
        assert "not an address of the internet" in answer.error
        assert "[webhooks]" in answer.error


def test_a_name_with_one_address_inside_the_network_is_refused():
    async def both(_host, _port):
        return ["8.8.8.8", "127.0.0.1"]

    answer = asyncio.run(Poster(resolver=both).send("http://two.example:9/", {}, b""))
    assert "two.example is 127.0.0.1, which is not an address of the internet" in answer.error


def test_the_connection_goes_to_the_address_that_was_checked():
    """A name server that answers differently each time is asked once for each request."""
    answers = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]
    asked = []

    async def changing(host, _port):
        asked.append(host)
        return answers[len(asked) - 1]

    async def send_all(port):
        poster = Poster(networks_of(["127.0.0.0/8"]), changing)
        url = f"http://rebound.example:{port}/"
        return [await poster.send(url, {}, b"{}") for _ in answers]

    with receiver() as here:
        first, second, third = asyncio.run(send_all(here.port))
    assert (first.status, second.status, third.status) == (204, None, 204)
    assert "10.0.0.1" in second.error
    assert asked == ["rebound.example"] * 3
    # No connection is kept, and the name that was asked for is in the header.
    assert [m.headers["host"] for m in here.messages] == [f"rebound.example:{here.port}"] * 2


def test_the_next_address_is_tried_when_one_does_not_answer():
    async def two(_host, _port):
        return ["::1", "127.0.0.1"]  # the server listens on the second alone

    async def send(port):
        poster = Poster(networks_of(["127.0.0.0/8", "::1/128"]), two)
        return await poster.send(f"http://two.example:{port}/", {}, b"{}")

    with receiver() as here:
        assert asyncio.run(send(here.port)).status == 204


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        answer = asyncio.run(Poster().send("http://127.0.0.1:9/", {}, b"{}"))
        assert "not an address of the internet" in answer.error
        assert proxy.messages == []


def test_the_real_resolver_returns_addresses_and_fails_for_nonsense():
    assert "127.0.0.1" in asyncio.run(resolve("localhost", 80))
    for host in ("a..b", "x" * 300):
        with pytest.raises((OSError, UnicodeError)):
            asyncio.run(resolve(host, 80))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "not a URL of the web"),
        ("file:///etc/passwd", "not a URL of the web"),
        ("unix:/run/x.sock", "not a URL of the web"),
        ("http://", "not a URL of the web"),
        ("example.org", "not a URL of the web"),
        ("http://example.org:0/", "not a URL of the web"),
        ("http://example.org:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://ann:secret@example.org/", "password"),
        ("http://example.org/#x", "fragment"),
        ("http://example.org/a b", "not a URL"),
        ("http://example.org/\r\nX: 1", "not a URL"),
        ("http://exämple.org/", "not a URL"),
        (f"http://example.org/{'x' * 3000}", "3019 characters"),
    ],
)
def test_what_is_not_a_url_is_refused_with_a_hint(url, why):
    with pytest.raises(Refused, match=why) as refused:
        check_url(url)
    assert refused.value.hint


def test_urls_of_the_web_are_taken():
    for url in ("http://example.org", "https://example.org:8443/a?b=c", "https://[2606:4700::1]/"):
        check_url(url)


def test_a_redirect_is_a_failure_and_is_not_followed():
    with receiver() as here:
        here.answers = [(status, {"Location": here.url}) for status in (301, 302, 307, 308)]
        poster = Poster(networks_of(["127.0.0.0/8"]))
        for status in (301, 302, 307, 308):
            answer = asyncio.run(poster.send(here.url, {}, b"{}"))
            assert answer.status == status
            assert answer.error == f"it redirects ({status}), which is not followed"
    assert len(here.messages) == 4


def test_a_port_without_a_server_is_a_refused_connection():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    poster = Poster(networks_of(["127.0.0.0/8"]))
    answer = asyncio.run(poster.send(f"http://127.0.0.1:{port}/", {}, b"{}"))
    assert answer.status is None
    assert "refused" in answer.error.lower()


def certificate(folder, name):
    """Write a certificate of a name, signed by itself, and its key; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def test_a_certificate_is_checked_against_the_name_though_an_address_is_connected_to(
    tmp_path, monkeypatch
):
    async def here_alone(_host, _port):
        return ["127.0.0.1"]

    async def send(name, port):
        poster = Poster(networks_of(["127.0.0.0/8"]), here_alone)
        return await poster.send(f"https://{name}:{port}/", {}, b"{}")

    file = certificate(tmp_path, "lamp.example")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    with receiver(tls=tls) as here:
        unknown = asyncio.run(send("lamp.example", here.port))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        trusted = asyncio.run(send("lamp.example", here.port))
        other = asyncio.run(send("other.example", here.port))
    assert (unknown.status, trusted.status, other.status) == (None, 204, None)
    for answer in (unknown, other):
        assert "certificate verify failed" in answer.error
    assert len(here.messages) == 1
