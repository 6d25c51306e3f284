"""T28: the bill of materials, what is known against it, and a wheel that comes out the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import ClickException, UsageError
from click.testing import CliRunner

from proof.supply import bill, holes
from proof.supply.lock import installed, pinned, unpinned
from proof.threats import supply
from tests.conftest import REPOSITORY

LOCK = REPOSITORY / "requirements" / "dev.lock"
CLEAN = b'{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'
HOLED = (
    b'{"dependencies": [{"name": "a", "version": "1", "vulns":'
    b' [{"id": "CVE-1", "fix_versions": ["1.1"], "aliases": []}]}]}'
)
SKIPPED = b'{"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]}'


@pytest.fixture
def locked() -> None:
    """Where somebody has added a dependency, the lock is resolved anew before the next release."""
    missing = unpinned(pinned(LOCK.read_text(encoding="utf-8")))
    if missing:
        pytest.skip(f"the lock is older than pyproject.toml, it lacks {sorted(missing)}: make lock")


@pytest.mark.usefixtures("locked")
def test_threat_t28_the_bill_is_what_the_lock_installs() -> None:
    checked = supply.t28()
    assert list(checked.violations) == []
    assert None not in checked.planted.values(), checked.planted


@pytest.mark.usefixtures("locked")
def test_the_command_writes_the_same_bill_each_time(tmp_path: Path) -> None:
    written = []
    for name in ("one.json", "two.json"):
        done = CliRunner().invoke(bill.main, ["--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    parts = {one["name"]: one["version"] for one in json.loads(written[0])["components"]}
    assert parts == installed()


def test_a_lock_of_something_else_is_told() -> None:
    lock = REPOSITORY / "requirements" / "tap-build.lock"
    done = CliRunner().invoke(bill.main, ["--lock", str(lock)])
    assert done.exit_code == 1
    assert "none in the lock" in done.output


def test_markers_decide_which_of_two_pins_is_meant() -> None:
    text = (
        "a==1.0 ; python_version < '3' \\\n    --hash=sha256:" + "0" * 64 + "\n"
        "a==2.0 ; python_version >= '3' \\\n    --hash=sha256:" + "1" * 64 + "\n"
        "    # via crossdock\n"
    )
    (one,) = pinned(text)
    assert (one.name, one.version, one.hashes) == ("a", "2.0", ("1" * 64,))


def test_what_nobody_answered_about_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    holes.judge(CLEAN, "", as_json=False)
    assert "Nothing is known" in capsys.readouterr().out
    with pytest.raises(ClickException, match="1 holes are known"):
        holes.judge(HOLED, "", as_json=False)
    with pytest.raises(UsageError, match="Nobody answered about 1 of 1"):
        holes.judge(SKIPPED, "", as_json=False)
    with pytest.raises(UsageError, match="nothing is known: no route to host"):
        holes.judge(b"", "Traceback\nno route to host\n", as_json=False)


def test_without_pip_audit_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "find_spec", lambda _: None)
    done = CliRunner().invoke(holes.main, [])
    assert done.exit_code == 2
    assert "pip install pip-audit" in done.output


@pytest.mark.slow
def test_threat_t28_a_wheel_built_twice_is_the_same(tmp_path: Path) -> None:
    built = []
    for name, seed in (("one", "1"), ("somewhere-else", "2")):
        tree = tmp_path / name
        for part in (".gitignore", "pyproject.toml", "README.md", "LICENSE"):
            tree.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / part, tree / part)
        for package in ("connectors", "sync", "mappings", "jobs", "web", "state", "sandbox"):
            # Without the times of the files: each copy has its own.
            shutil.copytree(REPOSITORY / package, tree / package, copy_function=shutil.copyfile)
        shutil.copytree(REPOSITORY / "proof", tree / "proof", copy_function=shutil.copyfile)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
            cwd=tree,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
        (wheel,) = (tree / "dist").iterdir()
        built.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert built[0] == built[1]
