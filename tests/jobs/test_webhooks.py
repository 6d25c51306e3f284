"""Webhooks of an installation: settings, check, the command, and the daemon that takes them."""

from __future__ import annotations

import base64
import hmac
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from connectors.registry import CONNECTORS
from jobs.cli import cli
from jobs.settings_loader import SettingsProblem, load
from tests.jobs.commands import Commands
from tests.jobs.test_process import Installation, SlowShop, ended

SECRET = "a-secret-of-the-shop-and-long"
SHOP = """
[connections.{name}]
connector = "woocommerce"
url = "{url}"
consumer_key = "env:SHOP_KEY"
consumer_secret = "env:SHOP_KEY"
{more}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("SHOP_KEY", "ck_0123456789abcdef")
    monkeypatch.setenv("HOOK_SECRET", SECRET)

    def make(*texts: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text("\n".join(texts))
        return path

    return make


def shop(name: str = "shop", more: str = 'webhook_secret = "env:HOOK_SECRET"') -> str:
    return SHOP.format(name=name, url="http://127.0.0.1:1", more=more)


def test_threat_t3_one_secret_for_two_accounts_is_refused(write: Callable[..., Path]) -> None:
    before = 'webhook_secret = "file:other"\nwebhook_secret_before = "env:HOOK_SECRET"'
    path = write(shop(), shop("shop-us", before))
    (path.parent / "other").write_text("another-secret-of-another-shop")
    with pytest.raises(SettingsProblem) as caught:
        load(path, CONNECTORS)
    (problem,) = caught.value.problems
    assert "connections.shop-us.webhook_secret: is also that of connections.shop" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('listen = "8431"', "an address is a host and a port: 127.0.0.1:8431"),
        ('listen = "127.0.0.1:99999"', "an address is a host and a port: 127.0.0.1:8431"),
        ('listen = "hub..internal:8431"', "'hub..internal' is no host name"),
        (f'listen = "{"h" * 64}.internal:8431"', "between its dots are 1 to 63 characters"),
        ('public_url = "hooks.example.org"', "public_url: write https://hooks.example.org"),
        ("body_max = 5", "Input should be greater than or equal to 10000"),
    ],
)
def test_what_cannot_be_listened_on_is_said(
    write: Callable[..., Path], line: str, problem: str
) -> None:
    with pytest.raises(SettingsProblem) as caught:
        load(write(f"[web]\n{line}"), CONNECTORS)
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(
    ("web", "more", "said"),
    [
        ("", 'webhook_secret = "env:HOOK_SECRET"', "nobody listens"),
        ('listen = "127.0.0.1:8431"', 'webhook_secret = "env:HOOK_SECRET"', "is not known"),
        ('listen = "127.0.0.1:8431"', "", "no webhook_secret"),
    ],
)
def test_check_says_what_webhooks_lack(
    write: Callable[..., Path], web: str, more: str, said: str
) -> None:
    path = write(f"[web]\n{web}", shop(more=more))
    findings = json.loads(
        CliRunner().invoke(cli, ["--config", str(path), "check", "--json"]).stdout
    )
    (found,) = [one for one in findings if one["subject"] == "webhooks"]
    assert said in found["detail"]
    assert found["remedy"]


def test_the_command_lists_addresses_that_are_open_and_closed(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    public = '[web]\nlisten = "127.0.0.1:8431"\npublic_url = "https://hooks.example.org/in/"'
    write(public, shop(), shop("quiet", ""))
    rows = Commands(tmp_path).json("hooks")
    assert [(row["connection"], row["state"], row["url"]) for row in rows] == [
        ("shop", "open", "https://hooks.example.org/in/hooks/shop"),
        ("quiet", "closed: no webhook_secret", "https://hooks.example.org/in/hooks/quiet"),
    ]
    assert "shop" in Commands(tmp_path).well("hooks")
    write("[orders]")
    assert "No connection's vendor sends webhooks." in Commands(tmp_path).well("hooks")


def test_only_connections_that_take_webhooks_are_checked_for_them(
    write: Callable[..., Path], tmp_path: Path, slow_shop: SlowShop
) -> None:
    web = '[web]\nlisten = "127.0.0.1:8431"\npublic_url = "https://hooks.example.org"'
    more = 'webhook_secret = "env:HOOK_SECRET"'
    write(web, SHOP.format(name="shop", url=slow_shop.url, more=more), shop("quiet", ""))
    crossdock = Commands(tmp_path)
    asked = crossdock.json("once", "check-hooks", code=None)
    assert [row["stream"] for row in asked] == ["check-hooks:shop"]
    told = crossdock.well("once", "check-hooks", "quiet", code=2)
    assert "quiet cannot check-hooks: it takes no webhooks." in told
    assert "webhook_secret, and listen and public_url under [web]" in told
    write(shop("quiet", ""))
    told = crossdock.well("once", "check-hooks", code=2)
    assert "No connection can check-hooks." in told
    assert "webhook_secret" in told


@pytest.fixture
def slow_shop() -> Iterator[SlowShop]:
    made = SlowShop()
    yield made
    made.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_the_daemon_takes_a_webhook_and_reads_the_shop_at_once(
    write: Callable[..., Path], tmp_path: Path, slow_shop: SlowShop
) -> None:
    port = free_port()
    more = 'webhook_secret = "file:secret"\nevery = { orders = "1h", listings = "1h" }'
    (tmp_path / "secret").write_text(SECRET)
    write(
        f'[web]\nlisten = "127.0.0.1:{port}"',
        SHOP.format(name="shop", url=slow_shop.url, more=more),
    )
    installation = Installation(tmp_path)
    daemon = installation.start()
    for _ in range(2):
        assert slow_shop.asked.acquire(timeout=10)
    body = b'{"id":5}'
    digest = hmac.digest(SECRET.encode(), body, "sha256")
    headers = {
        "x-wc-webhook-signature": base64.b64encode(digest).decode(),
        "x-wc-webhook-topic": "order.updated",
    }
    url = f"http://127.0.0.1:{port}/hooks/shop"
    assert httpx.post(url, content=body, headers=headers).status_code == 200
    assert httpx.post(url, content=body + b" ", headers=headers).status_code == 401
    # The next interval is an hour away.
    assert slow_shop.asked.acquire(timeout=10)
    _until_done(installation)
    daemon.send_signal(signal.SIGTERM)
    code, log = ended(daemon)
    assert code == 0
    assert SECRET not in json.dumps(log)
    (row,) = Commands(tmp_path).json("hooks")
    assert (row["events"], row["refused"], row["reasons"]) == (1, 1, {"signature": 1})


def _until_done(installation: Installation) -> None:
    for _ in range(100):
        stream = installation.stream("pull-orders:shop")
        if stream.lease_until is None and stream.done == stream.want == 1:
            return
        time.sleep(0.05)
    raise AssertionError("the webhook's run did not end")


def test_a_daemon_whose_address_is_taken_says_so_and_ends(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write(f'[web]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"')
        done = Installation(tmp_path).crossdock("run")
    assert done.returncode == 1
    assert "Webhooks cannot be taken on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_daemon_whose_address_cannot_be_looked_up_says_so_and_ends(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write('[web]\nlisten = "hub\\u0000internal:8431"')
    done = Installation(tmp_path).crossdock("run")
    assert done.returncode == 1
    assert "Webhooks cannot be taken on hub" in done.stderr
    assert "is no host name" in done.stderr
