"""Writes of a ``rest`` connection that take longer: queued at the vendor, or to be stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import CancelsFulfilmentOrders, PollsSubmissions, PushesStock
from connectors.errors import Rejected, Unreachable
from connectors.rest import Rest
from connectors.rest.queue import Handle
from connectors.rest.settings import RestConfig
from mappings import Definitions
from sandbox.clock import ManualClock
from tests.connectors.rest_words import BASE, answer, connector, example
from tests.connectors.woo_words import update

Build = Callable[..., Rest]

QUEUED: dict[str, Any] = {
    "handle": "feed.id",
    "path": "/feeds/{handle}",
    "done": "state == 'done'",
    "failed": "state == 'broken'",
    "results": "items",
    "result_key": "sku",
    "error": "reason",
    "error_code": "reason.code",
    "error_message": "reason.text",
}
TAKEN = {"feed": {"id": "7 f/3"}}


class Feeds(httpx.BaseTransport):
    """Takes batches, and tells the end of them when told to."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.asked: list[str] = []
        self.status: dict[str, Any] = {"state": "working"}
        self.gone = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.taken.append(json.loads(request.content))
            return answer(TAKEN)
        self.asked.append(request.url.raw_path.decode())
        if self.gone:
            return httpx.Response(404, json={"message": "no such feed"})
        return answer(self.status)


def described(**queued: Any) -> dict[str, Any]:
    """A connection whose stock goes through a queue; changes are those of ``queued``."""
    stock = {
        "definition": "woocommerce.stock",
        "path": "/stock",
        "batch_max": 10,
        "item_key": "id",
        "idempotency": "absolute",
        "queued": {key: value for key, value in (QUEUED | queued).items() if value is not None},
    }
    return {"url": BASE, "pushes": {"stock": stock}}


@pytest.fixture
def build(open_door: Any, closing: Callable[[Any], Any], definitions: Definitions) -> Build:
    def make(transport: httpx.BaseTransport, given: dict[str, Any]) -> Rest:
        made: Rest = closing(connector(given, open_door(transport), definitions))
        return made

    return make


def pushed(shop: Rest, *products: int) -> dict[str, str]:
    """The handles that a push of these products got, by product."""
    assert isinstance(shop, PushesStock)
    outcomes = shop.push_stock({f"key-{n}": update(n, n, n) for n in products})
    assert {outcome.status for outcome in outcomes} == {"accepted"}
    return {outcome.key.removeprefix("key-"): outcome.handle for outcome in outcomes}


# ---- queued ------------------------------------------------------------------------------------


def test_what_is_queued_is_accepted_and_its_end_is_read_later_by_anybody(
    build: Build, clock: ManualClock
) -> None:
    vendor = Feeds()
    handles = pushed(build(vendor, described()), 1, 2, 3)
    assert len(vendor.taken) == 1
    assert isinstance(build(vendor, described()), PollsSubmissions)

    other = build(vendor, described())
    assert other.poll_submission(handles["1"], ["a"]) is None
    refused = {"code": "E7", "text": "no such thing"}
    vendor.status = {"state": "done", "items": [{"sku": 1}, {"sku": "2", "reason": refused}]}
    clock.advance(60)
    found = {n: other.poll_submission(handles[n], [f"key-{n}"]) for n in handles}
    told = {n: [(o.key, o.status, o.code, o.message) for o in found[n] or []] for n in found}
    assert told == {
        "1": [("key-1", "applied", "", "")],
        "2": [("key-2", "rejected", "E7", "no such thing")],
        "3": [("key-3", "unknown", "", "the submission's results do not mention it")],
    }
    # One reply told of all three.
    assert vendor.asked == ["/v1/feeds/7%20f%2F3"] * 2


def test_a_submission_given_up_is_sent_again_only_where_that_is_harmless(build: Build) -> None:
    vendor = Feeds()
    shop = build(vendor, described())
    handle = pushed(shop, 1)["1"]
    vendor.status = {"state": "broken"}
    assert [o.status for o in shop.poll_submission(handle, ["k"]) or []] == ["retry"]
    given = described()
    given["pushes"]["stock"]["idempotency"] = "none"
    once = build(vendor, given).poll_submission(handle, ["k"])
    assert [o.status for o in once or []] == ["unknown"]


def test_results_may_name_the_refused_only(build: Build) -> None:
    vendor = Feeds()
    shop = build(vendor, described(only_refused=True))
    handles = pushed(shop, 1, 2)
    vendor.status = {"state": "done", "items": [{"sku": 2, "reason": {"code": "E"}}]}
    assert [o.status for o in shop.poll_submission(handles["1"], ["k"]) or []] == ["applied"]
    assert [o.status for o in shop.poll_submission(handles["2"], ["k"]) or []] == ["rejected"]


@pytest.mark.parametrize("only_refused", [False, True])
def test_an_item_that_results_cannot_name_is_never_called_done(
    build: Build, only_refused: bool
) -> None:
    vendor = Feeds()
    given = described(only_refused=only_refused)
    given["pushes"]["stock"]["item_key"] = "no_such_key"
    shop = build(vendor, given)
    handle = pushed(shop, 1)["1"]
    vendor.status = {"state": "done", "items": [{"status": "fine"}]}
    assert [o.status for o in shop.poll_submission(handle, ["k"]) or []] == ["unknown"]


def test_a_reply_without_a_submission_is_not_believed(build: Build, scripted: Any) -> None:
    shop = build(scripted(answer({"feed": {}})), described())
    assert isinstance(shop, PushesStock)
    with pytest.raises(Unreachable, match="without a submission"):
        shop.push_stock({"k": update(1, 1, 1)})


def test_a_submission_that_cannot_be_read_costs_one_call_for_all_its_items(
    build: Build, clock: ManualClock
) -> None:
    """So a bad one with thousands of items leaves time for the others."""
    vendor = Feeds()
    shop = build(vendor, described())
    handles = pushed(shop, 1, 2, 3)
    vendor.gone = True
    for handle in handles.values():
        with pytest.raises(Rejected, match="404"):
            shop.poll_submission(handle, ["k"])
    assert len(vendor.asked) == 1
    vendor.gone = False
    vendor.status = {"state": "done", "items": [{"sku": 1}]}
    clock.advance(60)
    assert [o.status for o in shop.poll_submission(handles["1"], ["k"]) or []] == ["applied"]


def test_a_handle_of_another_description_is_told(build: Build, scripted: Any) -> None:
    shop = build(scripted(answer({})), described())
    for handle in ("12345", "tracking 7 1"):
        with pytest.raises(Rejected, match=r"no handle|not described any more"):
            shop.poll_submission(handle, ["k"])
    given = described()
    del given["pushes"]["stock"]["queued"]
    given["pushes"]["stock"] |= {"results": "items", "result_key": "id"}
    assert not isinstance(build(scripted(answer({})), given), PollsSubmissions)


@given(st.text(min_size=1), st.text())
def test_any_name_survives_its_handle(submission: str, item: str) -> None:
    handle = Handle("stock", submission, item)
    assert Handle.read(str(handle)) == handle


@pytest.mark.parametrize(
    ("push", "queued", "told"),
    [
        ({"results": "x", "result_key": "y"}, {}, "no use for `results`"),
        ({"item_key": ""}, {}, "needs `item_key`"),
        ({"remote_id": "id"}, {}, "gives no id of a new order"),
        ({}, {"results": ""}, "taken is not yet done"),
        ({}, {"path": "/feeds/{feed}"}, "{feed} is none of handle"),
        ({}, {"done": None}, "Field required"),
    ],
)
def test_a_queue_that_cannot_work_is_refused(
    push: dict[str, Any], queued: dict[str, Any], told: str
) -> None:
    wrong = described(**queued)
    wrong["pushes"]["stock"] |= push
    with pytest.raises(ValidationError) as caught:
        RestConfig.model_validate(wrong)
    assert told in str(caught.value)


# ---- cancellations -----------------------------------------------------------------------------


def cancelling(**cancellations: Any) -> dict[str, Any]:
    given = example("shipbob", url=BASE, secret="a token")
    given["pushes"] = {"cancellations": {"path": "/tasks/{remote_id}"} | cancellations}
    return given


def test_a_cancellation_may_be_a_delete_that_answers_nothing(build: Build, scripted: Any) -> None:
    vendor = scripted(httpx.Response(204))
    bob = build(vendor, cancelling(method="DELETE"))
    assert isinstance(bob, CancelsFulfilmentOrders)
    outcomes = bob.cancel_fulfilment_orders({"a": "7/8", "b": "9"})
    assert [(o.key, o.status, o.remote_id) for o in outcomes] == [
        ("a", "applied", "7/8"),
        ("b", "applied", "9"),
    ]
    sent = [(one.method, one.url.raw_path, one.content) for one in vendor.requests]
    assert sent == [("DELETE", b"/v1/tasks/7%2F8", b""), ("DELETE", b"/v1/tasks/9", b"")]


def test_a_cancellation_may_be_a_change_of_state(build: Build, scripted: Any) -> None:
    vendor = scripted(answer({"state": "stopped"}), answer({"state": "shipped"}))
    given = cancelling(method="PATCH", body={"state": "stop"}, applied_when="state == 'stopped'")
    outcomes = build(vendor, given).cancel_fulfilment_orders({"a": "1", "b": "2"})
    assert [(o.status, o.code) for o in outcomes] == [("applied", ""), ("rejected", "not_applied")]
    assert json.loads(vendor.requests[0].content) == {"state": "stop"}


def test_without_a_way_to_look_a_refusal_is_believed(build: Build, scripted: Any) -> None:
    vendor = scripted(httpx.Response(409, json={"message": "too late"}))
    (outcome,) = build(vendor, cancelling()).cancel_fulfilment_orders({"a": "1"})
    assert outcome.status == "rejected"
    assert len(vendor.requests) == 1


def test_one_that_must_not_be_repeated_is_unknown_when_its_reply_is_lost(
    build: Build, scripted: Any
) -> None:
    bob = build(scripted(httpx.Response(502)), cancelling(idempotency="none"))
    (outcome,) = bob.cancel_fulfilment_orders({"a": "1"})
    assert outcome.status == "unknown"
    assert bob.info.pushes["cancel_fulfilment_orders"].idempotency == "none"


def test_who_describes_no_cancellation_cannot_cancel(build: Build, scripted: Any) -> None:
    assert not isinstance(build(scripted(), described()), CancelsFulfilmentOrders)
    with pytest.raises(ValidationError, match="is none of remote_id"):
        RestConfig.model_validate(cancelling(path="/tasks/{id}"))
