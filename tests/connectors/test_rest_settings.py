"""What a ``rest`` description may say: every problem at once, before anything is called."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.errors import ConfigProblem
from connectors.payload_paths import reader
from connectors.registry import CONNECTORS
from connectors.rest.settings import RestConfig
from connectors.rest.words import filled, moment_of, parameters, written
from jobs.settings_loader import SettingsProblem, load
from mappings import Definitions
from tests.connectors.rest_words import connector, example, orders

PAGES = {"style": "page", "size": 10}
NUMBERED = {"query": {"p": "{page}"}}
STOCK = {
    "definition": "woocommerce.stock",
    "path": "/stock",
    "idempotency": "absolute",
}


def problems(given: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        RestConfig.model_validate(given)
    return str(caught.value)


def stock(**changes: Any) -> dict[str, Any]:
    return {"url": "https://api.example", "pushes": {"stock": STOCK | changes}}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "https://api.example"}, "describe at least one of `streams` or `pushes`"),
        (orders(PAGES, query={"p": "{pgae}"}), "{pgae} is none of cursor, last_id"),
        (orders(PAGES), "paging style page needs {page}"),
        (orders({"style": "page"}, **NUMBERED), "style page needs `size`"),
        (orders(PAGES | {"next": "x"}, **NUMBERED), "style page has no use for `next`"),
        (orders({"style": "link"}, method="POST"), "style link reads with GET"),
        (orders({"style": "cursor"}), "style cursor needs `next`"),
        (orders({"style": "none"}, query={"c": "{cursor}"}), "style none gives no {cursor}"),
        (orders({"style": "none"}, query={"s": "{since}"}), "{since} without {until} needs"),
        (orders({"style": "none"}, query={"u": "{until}"}), "{until} needs {since}"),
        (orders({"style": "none"}, query={"n": "{size}"}), "{size} needs `paging.size`"),
        (orders(PAGES, records="orders[", **NUMBERED), "not an expression"),
        (orders(PAGES, path="https://evil.example/", **NUMBERED), "should match pattern"),
        (orders(PAGES, pagging={}, **NUMBERED), "pagging"),
        (orders(PAGES, snapshot=True, **NUMBERED), "only stock can be a `snapshot`"),
        (
            orders(PAGES | {"total": "t", "total_header": "T"}, **NUMBERED),
            "two answers to one question",
        ),
        (orders(PAGES, **NUMBERED) | {"limits": {"order": {"per_second": 1, "burst": 1}}}, "order"),
        (orders(PAGES, **NUMBERED) | {"headers": {"a b": "c"}}, "should match pattern"),
        (orders(PAGES, **NUMBERED) | {"auth": {"style": "basic"}}, "basic needs `secret`"),
        (orders(PAGES, **NUMBERED) | {"secret": "x"}, "without `auth` has no use for `secret`"),
        (stock(path="/x/{sku}"), "{sku} is none of external_product_id"),
        (stock(batch_max=5), "a batch needs `results`"),
        (stock(batch_max=5, results="r"), "`results` needs `result_key`"),
        (stock(idempotency="lookup"), "idempotency lookup needs `find`"),
        (stock(idempotency="hopeful"), "Input should be"),
        (
            {
                "url": "https://api.example",
                "pushes": {"fulfilment_orders": STOCK},
            },
            "must not be placed twice",
        ),
    ],
)
def test_a_description_that_cannot_work_is_refused(given: dict[str, Any], told: str) -> None:
    assert told in problems(given)


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ({"style": "header"}, "style header needs `name`"),
        ({"style": "hmac", "name": "X"}, "style hmac needs `template`"),
        ({"style": "hmac", "name": "X", "template": "{nonce}"}, "{nonce} is none of body"),
        (
            {"style": "hmac", "name": "X", "template": "{body}", "timestamp_header": "T"},
            "proves nothing",
        ),
        ({"style": "bearer", "token_url": "https://x"}, "has no use for `token_url`"),
        ({"style": "digest"}, "Input should be"),
    ],
)
def test_a_way_to_sign_in_that_cannot_work_is_refused(auth: dict[str, Any], told: str) -> None:
    assert told in problems(orders(PAGES, **NUMBERED) | {"auth": auth, "secret": "s3cret"})


def test_every_problem_is_told_at_once() -> None:
    given = example("woocommerce", user="key", secret="word", url="https://x")
    given = deepcopy(given)
    given["auth"] = {"style": "header"}
    given["streams"]["orders"]["records"] = "]["
    given["streams"]["orders"]["attach"][0]["path"] = "/orders/{number}"
    given["pushes"]["stock"]["batch_max"] = 0
    told = problems(given)
    for one in ("auth", "streams.orders.records", "streams.orders.attach.0", "{number}"):
        assert one in told
    assert "pushes.stock.batch_max" in told


def test_the_settings_name_the_key_and_what_was_meant(tmp_path: Path) -> None:
    text = """
    [connections.shop]
    connector = "rest"
    url = "https://x"
    secret = "plain text"
    auth = { style = "bearer", nmae = "x" }
    [connections.shop.streams.orders]
    definition = "woocommerce.orders"
    path = "/orders"
    pageing = {}
    paging = { style = "none", sise = 5 }
    [[connections.shop.streams.orders.attach]]
    path = "/x"
    in = "refunds"
    """
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(SettingsProblem) as caught:
        load(tmp_path / "settings.toml", CONNECTORS)
    told = "\n".join(caught.value.problems)
    assert "shop.secret: a secret does not belong in the settings" in told
    assert "auth.nmae: unknown key: did you mean name?" in told
    assert "streams.orders.pageing: unknown key: did you mean paging?" in told
    assert "streams.orders.paging.sise: unknown key: did you mean size?" in told
    assert "streams.orders.attach.0.into: is missing" in told
    assert "plain text" not in told


def test_definitions_that_do_not_fit_are_all_named(
    open_door: Callable[..., Any], definitions: Definitions
) -> None:
    given = example("woocommerce", user="key", secret="word")
    given["streams"]["orders"]["definition"] = "woocommerce.listings"
    given["pushes"]["stock"]["definition"] = "my.stock"
    with pytest.raises(ConfigProblem) as caught:
        connector(given, open_door(), definitions)
    assert str(caught.value) == (
        "streams.orders.definition: woocommerce.listings maps a payload to Listing, and not "
        "a payload to Order; "
        "pushes.stock.definition: there is no mapping definition 'my.stock'."
    )


def test_no_secret_shows_in_the_settings() -> None:
    config = RestConfig.model_validate(example("woocommerce", user="CANARY", secret="CANARY"))
    assert "CANARY" not in f"{config!r} {config}"


# ---- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("rfc3339", "2026-11-01T22:59:59Z"),
        ("naive_utc", "2026-11-01T22:59:59"),
        ("date", "2026-11-01"),
        ("unix", "1793573999"),
        ("unix_ms", "1793573999000"),
    ],
)
def test_a_moment_is_written_in_utc_and_whole_seconds(style: Any, text: str) -> None:
    berlin = timezone(timedelta(hours=1))
    assert written(datetime(2026, 11, 1, 23, 59, 59, 900_000, berlin), style) == text


@pytest.mark.parametrize(
    "value", ["2026-11-01T22:59:59Z", "2026-11-01T23:59:59+01:00", 1793573999, 1793573999000]
)
def test_a_vendors_time_is_read_in_the_usual_spellings(value: Any) -> None:
    assert moment_of(value) == datetime(2026, 11, 1, 22, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "soon", True, None, {}, 1e300])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        moment_of(value)


def test_a_template_without_a_value_for_a_name_is_left_out() -> None:
    assert filled("a{page}b{size}", {"page": 0, "size": 5}) == "a0b5"
    assert filled("{cursor}", {"cursor": None}) is None
    assert filled("{{page}}", {"page": "{size}"}) == "{{size}}", "filled once, never again"


def test_a_query_says_true_as_the_web_does() -> None:
    query: dict[str, bool | int | str] = {
        "open": True,
        "all": False,
        "n": 3,
        "c": "{cursor}",
        "s": "{size}",
    }
    assert parameters(query, {"cursor": None, "size": 9}) == {
        "open": "true",
        "all": "false",
        "n": 3,
        "c": None,
        "s": "9",
    }


def test_what_cannot_be_computed_is_nothing_or_what_the_caller_says() -> None:
    assert reader("length(n)")({"n": 7}) is None
    assert reader("length(n)", "trouble")({"n": 7}) == "trouble"
