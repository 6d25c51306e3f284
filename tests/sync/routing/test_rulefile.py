"""A rule file is read whole or refused whole, with every fault, its line and what to do."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest

from sync.routing import rulefile
from sync.routing.rules import Objective, Quoting, Rules, Then, When
from tests.conftest import REPOSITORY

GOOD = """
currency = "EUR"
[objective]
per_100_km = 20
[zones]
near = ["DE", "AT"]
[[rates]]
from = "berlin"
to = ["near"]
parcel = 450
per_kg = 35
up_to_g = 5_000
days = 1
[[rates]]
parcel = 1500
days = 5
[[rules]]
name = "wholesale"
when = { channel = "shop-*", b2b = true, value_from = 50_000 }
set = { split = false, priority = 10, not_before = 2026-12-01, surcharge = { berlin = 100 } }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "routing.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, **names: list[str]) -> list[tuple[int, str]]:
    with pytest.raises(rulefile.RulesInvalid) as caught:
        rulefile.load(written(folder, text), **names)
    return [(one.line, f"{one.where}: {one.message}") for one in caught.value.problems]


def test_a_good_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    rules = rulefile.load(written(tmp_path, GOOD), channels=["shop-eu"], locations=["berlin"])
    assert (rules.name, rules.currency) == ("routing.toml", "EUR")
    assert rules.objective == Objective(per_100_km=20)
    assert rules.rates[0].from_ == ("berlin",)
    assert rules.rules[0].when.channel == ("shop-*",)
    assert rules.rules[0].then.not_before == date(2026, 12, 1)
    assert (rules.asks_priority, rules.asks_history) == (True, False)


def test_the_shipped_rules_are_good_and_rule_nothing_out() -> None:
    rules = rulefile.shipped()
    assert (rules.name, rules.rules, len(rules.rates)) == ("default.toml", (), 1)


def test_every_fault_is_told_with_its_line_and_a_remedy(tmp_path: Path) -> None:
    text = """currency = 3
colour = "red"
[objective]
split = -5
[[rates]]
to = ["nowhere"]
[[rules]]
name = "a"
when = { b2b = "yes", contry = ["DE"] }
set = { max_parcels = 0, kinds = ["shop"] }
[[rules]]
when = "always"
"""
    told = problems(tmp_path, text)
    assert [line for line, _ in told] == [1, 2, 4, 5, 9, 9, 10, 10, 11, 11, 12]
    said = dict.fromkeys(message for _, message in told)
    assert list(said) == [
        "currency: Expected str, got int",
        "colour: unknown key: known are currency, name, objective, quotes, rates, rules, zones",
        "objective.split: Expected int >= 0: write a whole number",
        "rates[1]: parcel is missing",
        "rules[1].when.b2b: Expected bool | null, got str: write true or false",
        "rules[1].when.contry: unknown key, did you mean 'country'?",
        "rules[1].set.max_parcels: Expected int >= 1: write a whole number",
        'rules[1].set.kinds: Invalid enum value \'shop\': write a list, ["one", "two*"]',
        "rules[2]: name is missing",
        "rules[2]: set is missing",
        "rules[2].when: is not a table: write its keys below a [header]",
    ]


def test_what_contradicts_itself_is_refused(tmp_path: Path) -> None:
    text = """currency = "EUR"
[[rates]]
parcel = 1
to = ["DE", "DE-10*", "europa"]
[[rules]]
name = "a"
when = { value_from = 10, value_below = 10 }
set = { split = false, max_parcels = 2 }
[[rules]]
name = "a"
set = {}
"""
    told = problems(tmp_path, text)
    assert [line for line, _ in told] == [4, 7, 8, 10, 11]
    assert "'europa' is neither a country" in told[0][1]
    assert "no order is from 10 and below 10" in told[1][1]
    assert "drop one of them" in told[2][1]
    assert "'a' is taken" in told[3][1]
    assert "sets nothing" in told[4][1]


def test_leaving_goods_out_must_be_dearer_than_any_parcel(tmp_path: Path) -> None:
    text = 'currency = "EUR"\n[objective]\nunfilled = 37_750\n[[rates]]\nparcel = 450\n'
    [(line, told)] = problems(tmp_path, text)
    assert (line, told.startswith("objective.unfilled: a parcel can cost 37750: ")) == (3, True)
    assert rulefile.load(written(tmp_path, text.replace("37_750", "37_751"))).rates


def test_names_that_the_settings_lack_are_refused(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD, channels=["store"], locations=["berlim"])
    # Names with a star may mean something that comes later.
    assert told == [
        (8, "rates[1].from: there is no [locations.berlin], did you mean 'berlim'?"),
        (20, "rules[1].set.surcharge: there is no [locations.berlin], did you mean 'berlim'?"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a = [", "not TOML"), (b"\xff\xfe", "not UTF-8 text"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "routing.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(rulefile.RulesInvalid, match=said):
        rulefile.load(path)


def test_the_version_names_the_content_and_not_the_comments(tmp_path: Path) -> None:
    rules = rulefile.load(written(tmp_path, GOOD))
    remarked = rulefile.load(written(tmp_path, f"# a remark\n{GOOD}"))
    dearer = rulefile.load(written(tmp_path, GOOD.replace("450", "451")))
    assert remarked.version() == rules.version() != dearer.version()
    stored = msgspec.convert(msgspec.to_builtins(rules), Rules, strict=False)
    assert (stored, stored.version()) == (rules, rules.version())


def test_the_rules_in_the_documentation_are_good(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "routing.md").read_text(encoding="utf-8")
    example, asking = (
        text
        for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
        if "[routing]" not in text
    )
    rules = rulefile.load(written(tmp_path, example + asking))
    assert (len(rules.rates), len(rules.rules)) == (3, 4)
    assert [quoting.connection for quoting in rules.quotes] == ["labels"]
    keys = {*When.__struct_fields__, *Then.__struct_fields__}
    keys |= {field.encode_name for field in msgspec.structs.fields(Quoting)}
    assert {key for key in keys if f"`{key}`" not in page} == set()


ASKING = """currency = "EUR"
[zones]
near = ["DE", "AT"]
[[rates]]
parcel = 450
[[quotes]]
connection = "labels"
services = "dpd_*"
from = "berlin"
to = ["near"]
percent = -10
good_hours = 12
wait_minutes = 30
step_g = 500
[[quotes]]
connection = "labels"
"""


def test_a_file_may_ask_carriers_for_their_prices(tmp_path: Path) -> None:
    rules = rulefile.load(
        written(tmp_path, ASKING), channels=["labels"], locations=["berlin"], quoting=["labels"]
    )
    assert rules.quotes == (
        Quoting("labels", ("dpd_*",), -10, 12, 30, 500, ("berlin",), ("near",)),
        Quoting("labels", percent=0, good_hours=24, wait_minutes=0, step_g=1000),
    )
    assert rules.quoting == {"labels"}
    plain = msgspec.to_builtins(rules, str_keys=True)
    assert msgspec.convert(plain, Rules, strict=False).stored() == rules.stored()


def test_who_cannot_be_asked_is_told_with_who_can(tmp_path: Path) -> None:
    text = ASKING.replace('"labels"\nservices', '"lables"\nservices', 1)
    text = text.replace('[[quotes]]\nconnection = "labels"\n', '[[quotes]]\nconnection = "shop"\n')
    there = ["labels", "shop"]
    said = problems(tmp_path, text, channels=there, locations=["berlin"], quoting=["labels"])
    assert said == [
        (
            7,
            "quotes[1].connection: there is no [connections.lables], did you mean 'labels'?",
        ),
        (16, "quotes[2].connection: shop cannot be asked for prices: labels can"),
    ]
    none = problems(tmp_path, text, channels=["shop"], locations=["berlin"], quoting=[])
    assert none[1][1].endswith("shop cannot be asked for prices: none of yours can")


def test_faults_of_quotes_are_told_with_their_lines(tmp_path: Path) -> None:
    text = """currency = "EUR"
[[quotes]]
connection = "labels"
percent = -101
[[quotes]]
percent = 5
good_hours = 0
"""
    assert problems(tmp_path, text) == [
        (4, "quotes[1].percent: Expected int >= -100: write a whole number"),
        (5, "quotes[2]: connection is missing"),
        (7, "quotes[2].good_hours: Expected int >= 1: write a whole number"),
    ]
    alone = 'currency = "EUR"\n[[quotes]]\nconnection = "labels"\nto = ["nowhere"]\nfrom = "x"\n'
    said = problems(tmp_path, alone, locations=["berlin"])
    assert [line for line, _ in said] == [2, 4, 5]
    told = "quotes[1]: nothing says what a parcel without a quote costs: add [[rates]]"
    assert said[0][1] == told
    assert "'nowhere' is neither a country" in said[1][1]
    assert "there is no [locations.x]" in said[2][1]
