"""OAuth 2 with a refresh token that changes with each use: it survives us, and is used once."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import ConfigProblem
from connectors.rest import Rest
from connectors.rest.settings import RestConfig
from mappings import Definitions
from sandbox.clock import ManualClock
from tests.connectors.rest_words import SINCE, answer, connector, orders

Build = Callable[..., Rest]


class Login(httpx.BaseTransport):
    """Gives a new refresh token with each access token, and takes each one once."""

    def __init__(self) -> None:
        self.live = "refresh-0"
        self.used: list[str] = []
        self.access = ""
        self.slow = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.example":
            return self._token(parse_qs(request.read().decode())["refresh_token"][0])
        good = request.headers["authorization"] == f"Bearer {self.access}"
        return answer([]) if good else httpx.Response(401)

    def _token(self, given: str) -> httpx.Response:
        if given != self.live:
            return httpx.Response(400, json={"error": "invalid_grant"})
        if self.slow:
            threading.Event().wait(0.05)
        self.used.append(given)
        self.live, self.access = f"refresh-{len(self.used)}", f"access-{len(self.used)}"
        body = {"access_token": self.access, "expires_in": 3600, "refresh_token": self.live}
        return answer(body)


@pytest.fixture
def login() -> Login:
    return Login()


@pytest.fixture
def build(
    open_door: Any,
    closing: Callable[[Any], Any],
    definitions: Definitions,
    login: Login,
    tmp_path: Path,
) -> Build:
    """A connection as another process would have it; ``first``: the token in the settings."""

    def make(first: str = "refresh-0") -> Rest:
        auth = {"style": "refresh_token", "token_url": "https://login.example/oauth/token"}
        keys = {"user": "us", "secret": "s3cret-CANARY", "refresh_token": first}
        given = orders({"style": "none"}) | {"auth": auth, **keys}
        given["token_file"] = tmp_path / "tokens" / "shop.json"
        made: Rest = closing(connector(given, open_door(login), definitions))
        return made

    return make


def read(shop: Rest) -> None:
    list(shop.pull_orders(None, SINCE))


def test_the_newest_token_is_used_after_it_ages_and_after_a_restart(
    build: Build, login: Login, clock: ManualClock
) -> None:
    shop = build()
    for _ in range(3):
        read(shop)
        clock.advance(3600)
    read(build())
    assert login.used == ["refresh-0", "refresh-1", "refresh-2", "refresh-3"]


def test_two_processes_take_turns(build: Build, login: Login, clock: ManualClock) -> None:
    one, other = build(), build()
    for shop in (one, other, one, other):
        read(shop)
        clock.advance(3600)
    assert login.used == [f"refresh-{number}" for number in range(4)]


def test_two_that_refresh_at_once_use_no_token_twice(build: Build, login: Login) -> None:
    login.slow = True
    both = [build(), build()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_signs_in, both))
    assert login.used == ["refresh-0", "refresh-1"]


def _signs_in(shop: Rest) -> None:
    # What is read does not matter: the other one's sign-in may have ended this one's.
    with suppress(ConfigProblem):
        read(shop)


def test_only_we_can_read_the_file(build: Build, tmp_path: Path) -> None:
    read(build())
    for file in (tmp_path / "tokens").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "refresh-1" in (tmp_path / "tokens" / "shop.json").read_text()
    assert "refresh-0" not in (tmp_path / "tokens" / "shop.json").read_text()


def test_a_token_authorised_anew_begins_another_chain(build: Build, login: Login) -> None:
    read(build())
    login.live = "authorised-anew"
    with pytest.raises(ConfigProblem, match="authorise test at the vendor again"):
        read(build())
    read(build(first="authorised-anew"))
    read(build(first="authorised-anew"))
    assert login.used == ["refresh-0", "authorised-anew", "refresh-2"]


def test_a_file_that_is_none_of_ours_is_told_and_left_alone(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "tokens" / "shop.json"
    file.parent.mkdir()
    file.write_text("{}")
    with pytest.raises(ConfigProblem, match="holds no token of ours"):
        read(build())
    assert file.read_text() == "{}"


def test_a_token_file_is_for_refresh_tokens_only(tmp_path: Path) -> None:
    given = orders({"style": "none"}) | {"token_file": tmp_path / "x"}
    with pytest.raises(ValidationError, match="for auth style refresh_token"):
        RestConfig.model_validate(given)
