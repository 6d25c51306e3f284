"""Every error is sorted by what happens next."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree

from connectors.errors import Ambiguous, ConfigProblem, RateLimited, Rejected, Unreachable
from state.errors import LostLease
from sync.outcomes import attempt, classify


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimited("slow down", 7), "retry"),
        (Unreachable("no answer"), "retry"),
        (Ambiguous("lost"), "retry"),
        (Rejected("no"), "retry"),
        (ConfigProblem("wrong secret"), "park_connection"),
        (LostLease("taken over"), "lost"),
        (OperationalError("UPDATE", {}, Exception("database is locked")), "retry"),
        (NoneFree("QueuePool limit of size 32 overflow 10 reached"), "retry"),
        (IntegrityError("INSERT", {}, Exception("CHECK")), "bug"),
        (ZeroDivisionError("oops"), "bug"),
    ],
)
def test_an_error_says_what_happens_next(error: Exception, kind: str) -> None:
    assert classify(error).kind == kind


def test_a_vendors_wait_is_kept() -> None:
    assert classify(RateLimited("slow down", 7)).retry_after == 7


def test_a_bug_names_its_type_and_work_that_succeeds_has_no_verdict() -> None:
    def broken() -> None:
        raise KeyError("sku")

    verdict = attempt(broken)
    assert verdict is not None
    assert verdict.message == "KeyError: 'sku'"
    assert attempt(lambda: None) is None
