"""Courses in which something did not hold once.

What each showed of the product has a small test of its own, named after its row of the fault
matrix: a seed means another history after the code has changed. They are lived through again all
the same, first of all worlds.
"""

from __future__ import annotations

from collections.abc import Sequence

from proof.world.course import Course

ONCE_RED: Sequence[Course] = (
    Course(5, workers=3),
    Course(8),
    Course(8, days=3),
    Course(12, days=0.6, orders_per_day=30),
    Course(18, days=0.5, faults="calm"),
    Course(20, days=5),
    Course(22, days=2),
    Course(28, days=5),
    Course(33, days=0.3, orders_per_day=300),
    Course(109, days=2),
    Course(203, days=2),
    Course(206, days=0.5, workers=3),
    Course(64247, days=0.5, workers=3),
)
