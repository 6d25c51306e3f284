"""Row 31: who is not who it says it is, or cannot show it, is told nothing."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from connectors.egress import trusting
from connectors.errors import Unreachable
from connectors.http import Bounds, Door

OpenDoor = Callable[..., Door]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRESENTED = ("self-signed", "expired", "another host", "unknown authority")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_context(authority: trustme.CA, presents: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if presents == "self-signed":
        # Nobody is above it: what it presents has signed itself.
        with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as own:
            context.load_cert_chain(own, key)
        return context
    issuer = trustme.CA() if presents == "unknown authority" else authority
    name = "elsewhere.example" if presents == "another host" else "localhost"
    not_after = LONG_AGO if presents == "expired" else None
    issuer.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


class Vendor:
    """``heard``: bytes that callers sent once they believed the certificate."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.heard: list[bytes] = []
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(5)
            try:
                with self._context.wrap_socket(peer, server_side=True) as secured:
                    # A refusal may arrive as late as with the first read.
                    self.heard.append(secured.recv(65_536))
                    secured.sendall(ANSWER)
            except OSError:
                continue
            finally:
                peer.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def vendor(context: ssl.SSLContext) -> Iterator[Vendor]:
    with closing(Vendor(context)) as made:
        yield made


@pytest.mark.parametrize("presents", PRESENTED)
def test_fault_row_31_a_certificate_that_is_not_right_is_told_nothing(
    open_door: OpenDoor,
    authority: trustme.CA,
    ca_file: Path,
    presents: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    believed = None if presents == "self-signed" else ca_file
    # What the environment believes is not asked for.
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    door = open_door(None, tls=trusting(believed), bounds=Bounds(attempts=1))
    with vendor(server_context(authority, presents)) as one:
        client = door.client(one.url, limits={})
        with closing(client):
            for ask in (client.get, client.post):
                # Never sent: a write may be tried again, and is nothing to look up.
                with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                    ask("/x", op="write")
    assert b"".join(one.heard) == b""


def test_fault_row_31_an_authority_of_ops_own_is_believed(
    open_door: OpenDoor, authority: trustme.CA, ca_file: Path
) -> None:
    door = open_door(None, tls=trusting(ca_file))
    with vendor(server_context(authority, "what is right")) as one:
        client = door.client(one.url, limits={})
        with closing(client):
            assert client.get("/x", op="list").json() == []
    assert one.heard[0].startswith(b"GET /x")


def test_fault_row_31_without_a_word_of_ops_only_public_authorities_are_believed(
    open_door: OpenDoor, authority: trustme.CA
) -> None:
    with vendor(server_context(authority, "what is right")) as one:
        client = open_door(None, bounds=Bounds(attempts=1)).client(one.url, limits={})
        with closing(client), pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            client.get("/x", op="list")


def test_fault_row_31_names_are_compared_and_old_protocols_are_not_spoken() -> None:
    context = trusting(None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
