"""Row 31 as ops meet it: what `crossdock` says of a certificate, and what can be set about it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from tests.connectors.test_tls import Vendor
from tests.jobs.commands import Commands

SETTINGS = """
[store]
url = "sqlite:///crossdock.db"
{network}
[connections.shop]
connector = "woocommerce"
url = "{url}"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_KEY"
{more}
"""


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


@pytest.fixture
def shop(authority: trustme.CA) -> Iterator[Vendor]:
    """One whose certificate is of an authority that only ops know."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with closing(Vendor(context)) as made:
        yield made


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setenv("SHOP_KEY", "ck_0123456789abcdef")
    return Commands(tmp_path)


def write(commands: Commands, shop: Vendor, network: str = "", more: str = "") -> None:
    text = SETTINGS.format(url=shop.url, network=network, more=more)
    commands.settings.write_text(text, encoding="utf-8")


def test_fault_row_31_check_and_the_runs_refuse_and_say_why(
    commands: Commands, shop: Vendor
) -> None:
    write(commands, shop)
    # The other way round the run would not even be tried: the check found the shop to be down.
    for command in (("once", "pull-orders", "shop"), ("check", "shop")):
        told = " ".join(commands.well(*command, code=1).split())
        assert "CERTIFICATE_VERIFY_FAILED" in told
    assert b"".join(shop.heard) == b""


def test_fault_row_31_a_file_of_ops_own_authority_lets_it_in(
    commands: Commands, shop: Vendor
) -> None:
    write(commands, shop, '[network]\nca_file = "authority.pem"')
    told = commands.json("check", "shop", code=None)
    assert shop.heard[0].startswith(b"GET /wp-json/wc/v3/orders")
    assert "CERTIFICATE_VERIFY_FAILED" not in str(told)


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nnone\n"])
def test_a_file_without_certificates_is_refused(
    commands: Commands, shop: Vendor, text: str | None
) -> None:
    if text is not None:
        (commands.folder / "own.pem").write_text(text, encoding="utf-8")
    write(commands, shop, '[network]\nca_file = "own.pem"')
    told = " ".join(commands.well("check", code=2).split())
    assert "network.ca_file" in told
    assert "holds no certificates" in told


@pytest.mark.parametrize(
    ("network", "more"),
    [
        ("[network]\nverify = false", ""),
        ("[network]\ninsecure = true", ""),
        ("", "verify = false"),
        ("", "verify_tls = false"),
    ],
)
def test_fault_row_31_verification_cannot_be_switched_off(
    commands: Commands, shop: Vendor, network: str, more: str
) -> None:
    write(commands, shop, network, more)
    assert "unknown" in commands.well("check", code=2)
