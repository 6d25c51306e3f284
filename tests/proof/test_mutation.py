"""Small mistakes are made where they are said to be, one at a time, and are taken back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from proof.crash.lanes import REPOSITORY
from proof.mutation import goal
from proof.mutation.mistakes import mistakes, with_mistake

SOURCE = '''
"""Money."""
LIMIT = 5

def share(amount, parts):
    """Parts of an amount."""
    if amount < 0 and parts:
        return amount + 1
    return None

class Till:
    def is_open(self):
        return self.hour is not None or True
'''


def test_each_mistake_changes_one_place_of_a_function() -> None:
    found = sorted((one.line, one.what) for one in mistakes(SOURCE))
    assert found == [
        (7, "0 is 1"),
        (7, "And is Or"),
        (7, "Lt is LtE"),
        (7, "a condition is its opposite"),
        (8, "1 is 2"),
        (8, "Add is Sub"),
        (8, "nothing is returned"),
        (13, "IsNot is Is"),
        (13, "Or is And"),
        (13, "True is False"),
        (13, "nothing is returned"),
    ]
    whole = ast.unparse(ast.parse(SOURCE))
    texts = [with_mistake(SOURCE, number) for number in range(len(found))]
    assert len({whole, *texts}) == 1 + len(found)


def test_goal_g19_every_module_can_be_read_and_has_tests() -> None:
    assert len(goal.trials()) > 200
    for tests in goal.SUBJECTS.values():
        assert all((REPOSITORY / path).exists() for path in tests)


@pytest.mark.timeout(300)
def test_goal_g19_a_mistake_is_noticed_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "money.py").write_text("def twice(n):\n    return n * 2\n")
    (tmp_path / "test_money.py").write_text(
        "from money import twice\n\ndef test_twice():\n    assert twice(3) == 6\n"
    )
    monkeypatch.setattr(goal, "SUBJECTS", {"money.py": ("test_money.py",)})
    [noticed, *_] = [
        goal.Trial("money.py", one)
        for one in mistakes((tmp_path / "money.py").read_text())
        if one.what == "Mult is FloorDiv"
    ]
    assert goal._judged(tmp_path, "money.py") == "survived"
    assert goal._tried(tmp_path, noticed) == "noticed"
    assert goal._tried(tmp_path, noticed, "-k", "nothing") == "survived"
    assert "n * 2" in (tmp_path / "money.py").read_text()
