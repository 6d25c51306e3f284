"""Promise rules in the settings or a file of their own: every problem with its place."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.registry import CONNECTORS
from jobs.promise_settings import rule_set
from jobs.settings_loader import Configuration, SettingsProblem, load

SHOP = """
[connections.shop]
connector = "csvdrop"
folder = "drop"
[locations.berlin]
kind = "warehouse"
group = "eu"
"""


def loaded(folder: Path, text: str, rules: str | None = None) -> Configuration:
    head = '[promise]\nfile = "rules.toml"\n' if rules is not None else ""
    (folder / "settings.toml").write_text(head + text + SHOP, encoding="utf-8")
    if rules is not None:
        (folder / "rules.toml").write_text(rules, encoding="utf-8")
    return load(folder / "settings.toml", CONNECTORS)


def problems(folder: Path, text: str, rules: str | None = None) -> list[str]:
    with pytest.raises(SettingsProblem) as caught:
        loaded(folder, text, rules)
    return caught.value.problems


def test_rules_stand_in_the_settings_and_in_the_file_they_name(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        '[[promise.rules]]\nchannel = "shop"\nshare_percent = 12.5\n',
        '[[rules]]\nname = "peak"\ngroup = "eu"\nbuffer_units = 2\n'
        "valid_from = 2026-11-20\nvalid_to = 2026-12-24\n",
    )
    here, there = rule_set(found.promise).rules
    assert (here.name, here.channel, here.share_percent) == (
        "rule 1: channel shop",
        "shop",
        Decimal("12.5"),
    )
    assert (there.name, there.group, there.buffer_units) == ("peak", "eu", 2)
    assert (there.valid_from, there.valid_to) == (date(2026, 11, 20), date(2026, 12, 24))


def test_bad_rules_are_refused_with_file_place_and_remedy(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        '[[promise.rules]]\nchannel = "shap"\ncap = 1\n'
        '[[promise.rules]]\ngroup = "us"\nshare_percent = 1\n',
        '[[rules]]\nchannel = "amazon"\ncap = 3\n',
    )
    assert found == [
        "settings.toml: promise.rules.0.channel: there is no connection 'shap': did you mean shop?",
        "settings.toml: promise.rules.1.group: there is no location with that group 'us': "
        "known are eu",
        "rules.toml: rules.0.channel: there is no connection 'amazon': known are shop",
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("cap = -1", "rules.0.cap: Input should be greater than or equal to 0"),
        ("share_percent = 101", "rules.0.share_percent: Input should be less than or equal to 100"),
        ("capp = 1", "rules.0.capp: unknown key: did you mean cap?"),
        ('sku = "A"', "rules.0: sets nothing: write one of share_percent, buffer_units,"),
        ('group = "eu"\ncap = 1', "rules.0: a rule for a location group cannot set cap: that"),
        (
            "cap = 1\nvalid_from = 2026-12-02\nvalid_to = 2026-12-01",
            "rules.0: ends before it begins: exchange valid_from and valid_to",
        ),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, rule: str, problem: str) -> None:
    [in_settings] = problems(tmp_path, f"[[promise.rules]]\n{rule}\n")
    assert in_settings.startswith(f"settings.toml: promise.{problem}")
    [in_file] = problems(tmp_path, "", f"[[rules]]\n{rule}\n")
    assert in_file.startswith(f"rules.toml: {problem}")


def test_a_file_of_rules_that_is_missing_or_no_toml_says_so(tmp_path: Path) -> None:
    [broken] = problems(tmp_path, "", "[[rules]\n")
    assert "rules.toml: not TOML" in broken
    (tmp_path / "rules.toml").unlink()
    (tmp_path / "settings.toml").write_text('[promise]\nfile = "rules.toml"\n')
    with pytest.raises(SettingsProblem, match=r"rules\.toml: cannot be read: No such file"):
        load(tmp_path / "settings.toml", CONNECTORS)


def test_the_guard_has_limits_that_can_be_set(tmp_path: Path) -> None:
    found = loaded(tmp_path, "[guard]\nzeroed_percent = 12.5\ncancelled_orders = 0\n").settings
    assert (found.guard.zeroed_percent, found.guard.at_least) == (12.5, 10)
    [problem] = problems(tmp_path, "[guard]\nzeroed_percent = 120\n")
    assert problem.startswith("settings.toml: guard.zeroed_percent: Input should be less")
