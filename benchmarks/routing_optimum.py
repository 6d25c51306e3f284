"""The optimum of many orders sharing stock, as HiGHS proves it: one plain integer programme.

Deliberately not how Crossdock solves it: a variable for every line at every site and for every
parcel, and nothing of ``sync.routing`` but the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from sync.routing.problem import Task


@dataclass(frozen=True, slots=True)
class Optimum:
    """``cost`` of the best answer found, and the ``bound`` that no answer can be below."""

    cost: float
    bound: float


@dataclass(slots=True)
class _Programme:
    """Columns with their costs, rows as upper bounds on sums of columns."""

    costs: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def column(self, cost: float) -> int:
        self.costs.append(cost)
        return len(self.costs) - 1

    def row(self, terms: Sequence[tuple[int, float]], upper: float) -> None:
        self.starts.append(len(self.index))
        self.upper.append(upper)
        self.index.extend(column for column, _ in terms)
        self.value.extend(value for _, value in terms)


def optimum(
    tasks: Sequence[Task], stock: Mapping[tuple[int, int], int], limit_s: float, gap: float
) -> Optimum:
    """Solve to within ``gap`` (a fraction) or until ``limit_s`` seconds have passed."""
    programme = _Programme()
    uses: dict[tuple[int, int], list[tuple[int, float]]] = {}
    constant = sum(_order(programme, task, uses) for task in tasks)
    for key, terms in uses.items():
        programme.row(terms, stock.get(key, 0) / 1e6)
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("time_limit", limit_s)
    solver.setOptionValue("mip_rel_gap", gap)
    solver.passModel(_model(programme))
    solver.run()
    info = solver.getInfo()
    return Optimum(info.objective_function_value + constant, info.mip_dual_bound + constant)


def _order(
    programme: _Programme, task: Task, uses: dict[tuple[int, int], list[tuple[int, float]]]
) -> float:
    """Add an order; returns what it costs when nothing ships."""
    parcels = []
    of_line: list[list[tuple[int, float]]] = [[] for _ in task.lines]
    for site in task.sites:
        able = [n for n, ln in enumerate(task.lines) if ln.most(site.stock) >= ln.quantity]
        if not able:
            continue
        parcel = programme.column(site.open_cost + task.split_cost)
        parcels.append((parcel, -1.0))
        for n in able:
            ships = programme.column(site.line_costs[n] - task.unfilled_cost)
            programme.row([(ships, 1.0), (parcel, -1.0)], 0.0)
            of_line[n].append((ships, 1.0))
            for sku_id, quantity in task.lines[n].takes:
                uses.setdefault((site.location_id, sku_id), []).append((ships, quantity / 1e6))
    for terms in of_line:
        programme.row(terms, 1.0)
    if parcels:
        first = programme.column(-task.split_cost)
        programme.row([(first, 1.0), *parcels], 0.0)
    return len(task.lines) * task.unfilled_cost


def _model(programme: _Programme) -> highspy.HighsLp:
    columns, rows = len(programme.costs), len(programme.upper)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.col_cost_ = np.array(programme.costs)
    lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.ones(columns)
    lp.row_lower_ = np.full(rows, -highspy.kHighsInf)
    lp.row_upper_ = np.array(programme.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array([*programme.starts, len(programme.index)])
    lp.a_matrix_.index_ = np.array(programme.index)
    lp.a_matrix_.value_ = np.array(programme.value)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns
    return lp
