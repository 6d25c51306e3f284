"""The sandbox's own API under ``/_sandbox``: steer the world from another process.

No credentials: the server listens on loopback only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from sandbox import buyers, merchant, truth
from sandbox.faults import Rule
from sandbox.wire import (
    Call,
    Json,
    Malformed,
    Route,
    Vendor,
    moment_of,
    open_to_all,
    reply,
    stamp,
    unlimited,
)

if TYPE_CHECKING:
    from sandbox.app import Sandbox


NAME = "_sandbox"


def vendor(sandbox: Sandbox) -> Vendor:
    """The admin API of one sandbox, as a vendor without guard or limit."""
    steering = (
        ("clock", "GET", "/clock", _clock),
        ("moveClock", "POST", "/clock", _move_clock),
        ("truth", "GET", "/truth", _truth),
        ("digest", "GET", "/digest", _digest),
        ("catalogue", "GET", "/catalogue", _catalogue),
        ("calls", "GET", "/calls", _calls),
        ("callLog", "GET", "/calls/log", _call_log),
        ("faults", "GET", "/faults", _faults),
        ("struck", "GET", "/faults/struck", _struck),
        ("addFault", "POST", "/faults", _add_fault),
        ("clearFaults", "DELETE", "/faults", _clear_faults),
        ("limits", "POST", "/limits", _limits),
        ("quirks", "GET", "/quirks", _quirks),
        ("changeQuirks", "POST", "/quirks", _change_quirks),
    )
    return Vendor(
        name=NAME,
        prefix="/_sandbox",
        routes=(
            *(Route(name, verb, path, partial(act, sandbox)) for name, verb, path, act in steering),
            *buyers.ROUTES,
            *merchant.ROUTES,
        ),
        guard=open_to_all,
        limit=unlimited,
        problem=lambda status, message: reply({"error": message}, status),
    )


def _clock(sandbox: Sandbox, _call: Call) -> Response:
    world = sandbox.world
    upcoming = world.next_event()
    return reply(
        {
            "now": stamp(world.now),
            "day_ends": stamp(world.day_ends),
            "next_event": stamp(upcoming) if upcoming else None,
        }
    )


def _move_clock(sandbox: Sandbox, call: Call) -> Response:
    """``{"advance": seconds}`` and/or ``{"speed": sandbox seconds per wall second}``."""
    body = call.json()
    if "speed" in body:
        sandbox.world.clock.set_speed(float(body["speed"]))
    if "advance" in body:
        sandbox.world.clock.advance(float(body["advance"]))
    sandbox.world.advance_to(sandbox.world.clock.now())
    return _clock(sandbox, call)


def _truth(sandbox: Sandbox, _call: Call) -> Response:
    return reply(truth.summary(sandbox.world))


def _digest(sandbox: Sandbox, _call: Call) -> Response:
    return reply({"sha256": truth.digest(sandbox.world)})


def _catalogue(sandbox: Sandbox, _call: Call) -> Response:
    return reply(sandbox.world.catalogue())


def _calls(sandbox: Sandbox, _call: Call) -> Response:
    return reply(sandbox.calls.counts())


def _call_log(sandbox: Sandbox, call: Call) -> Response:
    """The calls from the ``since``-th on."""
    first = call.whole("since", 0)
    return reply(
        [
            {
                "vendor": one.vendor,
                "operation": one.operation,
                "status": one.status,
                "at": stamp(one.at),
            }
            for one in sandbox.calls.entries[first:]
        ]
    )


def _rule_json(rule: Rule) -> Json:
    return {
        "pattern": rule.pattern,
        "kind": rule.kind,
        "probability": rule.probability,
        "times": rule.times,
        "params": rule.params,
        "struck": rule.struck,
    } | {
        name: stamp(moment)
        for name, moment in (("since", rule.since), ("until", rule.until))
        if moment is not None
    }


def _faults(sandbox: Sandbox, _call: Call) -> Response:
    return reply([_rule_json(rule) for rule in sandbox.faults.rules])


def _struck(sandbox: Sandbox, _call: Call) -> Response:
    """How often each kind of fault and each quirk really happened."""
    return reply(dict(sandbox.faults.struck + sandbox.world.quirks.struck))


def _add_fault(sandbox: Sandbox, call: Call) -> Response:
    """A fault as :class:`Rule`; ``since`` and ``until`` are ISO 8601 moments."""
    body = call.json()
    options: Json = {
        name: body[name] for name in ("probability", "times", "params") if name in body
    }
    options |= {name: moment_of(body[name]) for name in ("since", "until") if name in body}
    try:
        rule = sandbox.faults.add(body["pattern"], body["kind"], **options)
    except (KeyError, ValueError) as error:
        raise Malformed(str(error)) from error
    return reply(_rule_json(rule), 201)


def _clear_faults(sandbox: Sandbox, _call: Call) -> Response:
    sandbox.faults.clear()
    return Response(status=204)


def _limits(sandbox: Sandbox, call: Call) -> Response:
    """``{"enforced": false}`` switches every rate limit off (benchmarks)."""
    sandbox.world.limiter.enforced = bool(call.json()["enforced"])
    return reply({"enforced": sandbox.world.limiter.enforced})


def _quirks(sandbox: Sandbox, _call: Call) -> Response:
    return reply(sandbox.world.quirks.settings())


def _change_quirks(sandbox: Sandbox, call: Call) -> Response:
    """``{name: value}`` of :class:`sandbox.quirks.Quirks`; answers all of them."""
    try:
        sandbox.world.quirks.change(**call.json())
    except (TypeError, ValueError) as error:
        raise Malformed(str(error)) from error
    return _quirks(sandbox, call)
