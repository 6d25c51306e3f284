"""ShipEngine (ShipStation API v2) v1: rates, labels, void, tracking.

Quirks this connector lives with (ShipEngine OpenAPI v1):

* ``external_shipment_id`` is the only natural key of a purchase, cut after 50 characters without
  a word; asking for rates makes a shipment too, and must not take the key away;
* a second label may carry the same key, and looking it up answers only the earliest, voided or
  not: the list of the shipment's labels is what counts;
* voiding answers 200 also when it was refused;
* rates answer 200 without any also when no carrier could be asked: their status and errors tell;
* an estimate lists a service once for every kind of packaging, also envelopes that goods of that
  weight never fit into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

from pydantic import Field, SecretStr

from connectors.base import (
    Config,
    Delivery,
    Effect,
    Finding,
    Hook,
    Hooks,
    Info,
    Outcome,
    Push,
    Rate,
    Status,
    Tracked,
)
from connectors.errors import Ambiguous, CrossdockError, Rejected, Unreachable, Unreadable
from connectors.hooks import HookConfig, hook, require_proof, subject_of
from connectors.http import Door, Reply, segment
from connectors.outcomes import in_chunks, looking_up, settle
from connectors.paging import TokenGuard
from connectors.skew import skew_finding
from mappings import Definition, MappingError
from mappings import canonical as c
from mappings.problems import Unfit
from mappings.transforms.amounts import currency, money, money_sum
from mappings.transforms.times import utc

LONGEST_REFERENCE = 50

PAGE_SIZE = 100

LOOKUP_LAG_S = 400.0
"""Not documented. Indexes elsewhere were seen to lag by five minutes, and a label bought twice is
paid twice; a label that waits a little longer costs nothing."""


PROOF = "x-crossdock-token"
"""The header of a webhook that holds our secret (``headers`` of the OpenAPI's webhook)."""


class ShipEngineConfig(HookConfig):
    """``carrier_ids`` are the connected accounts to ask (``se-...``)."""

    url: str = "https://api.shipengine.com"
    api_key: SecretStr
    carrier_ids: tuple[Annotated[str, Field(pattern=r"^se(-[a-z0-9]+)+$")], ...] = Field(
        min_length=1
    )
    service_codes: tuple[str, ...] = ()
    """Services that may be bought; empty: all."""


class ShipEngine:
    """One ShipEngine account with its connected carriers."""

    config_model: type[Config] = ShipEngineConfig
    info = Info(
        name="shipengine",
        title="ShipEngine labels",
        kind="carrier",
        # 200 a minute for the whole account: 60 s of refill and the burst must fit into that.
        limits={"*": Rate(per_second=3.0, burst=20)},
        pushes={
            "buy_labels": Push(batch_max=1, idempotency="lookup", lookup_lag_s=LOOKUP_LAG_S),
            "void_label": Push(batch_max=1, idempotency="natural"),
        },
        definitions={
            "quote_rates": "shipengine.rate",
            "estimate_rates": "shipengine.estimate",
            "buy_labels": "shipengine.shipment",
            "labels": "shipengine.label",
            "tracking": "shipengine.tracking",
        },
        hooks=Hooks(
            topics={"API_TRACK": ("tracking",)},
            headers=(),
            enter=f"ShipEngine's API, POST /v1/environment/webhooks with a header {PROOF}",
        ),
    )

    def __init__(
        self, config: ShipEngineConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        key = config.api_key.get_secret_value()
        self._config = config
        self._shipment = definitions["shipengine.shipment"]
        self._rate = definitions["shipengine.rate"]
        self._estimate = definitions["shipengine.estimate"]
        self._label = definitions["shipengine.label"]
        self._event = definitions["shipengine.tracking"]
        self._api = door.client(
            f"{config.url.rstrip('/')}/v1",
            limits=self.info.limits,
            headers={"API-Key": key},
            secrets=(key,),
        )

    def close(self) -> None:
        self._api.close()

    def check(self) -> Sequence[Finding]:
        """Find every configured carrier among the connected ones."""
        reply = self._api.get("/carriers", op="listCarriers")
        with reply.reading():
            names = {
                carrier["carrier_id"]: carrier.get("friendly_name")
                for carrier in reply.rows("carriers", having="carrier_id")
            }
        known = ", ".join(f"{number} ({name})" for number, name in names.items()) or "none"
        findings = [
            Finding("carrier_ids", True, f"{number} is {names[number]!r}")
            if number in names
            else Finding("carrier_ids", False, f"{number} is not connected", f"Use: {known}.")
            for number in self._config.carrier_ids
        ]
        return [*findings, skew_finding(self._api.last_skew_s)]

    def takes_hooks(self) -> bool:
        return bool(self._config.hook_keys())

    def read_hook(self, delivery: Delivery, now: datetime) -> Hook | None:
        """Proven by a header that ops give the webhook when they make it.

        ShipEngine's own signature is RSA by a key that has to be fetched; the header says no less
        of who called, and no webhook does more than have the tracking read earlier.
        """
        require_proof([delivery.headers.get(PROOF, "")], self._config.hook_keys())
        about = subject_of(delivery.body)
        event_id = hashlib.sha256(delivery.body).hexdigest()
        return hook(event_id, about.resource_type or "", about.resource_url, None)

    def quote_rates(self, request: c.LabelRequest) -> Sequence[c.RateQuote]:
        """Offers without errors, cheapest first; those in the request's currency before others.

        Raises ``Rejected`` where there are none, and ``Unreachable`` where there may be some later.
        """
        options: dict[str, Any] = {"carrier_ids": list(self._config.carrier_ids)}
        if self._config.service_codes:
            options["service_codes"] = list(self._config.service_codes)
        body = {"rate_options": options, "shipment": self._shipment.render(request)}
        # Asking twice costs nothing.
        reply = self._api.post("/rates", op="calculateRates", json=body, idempotent=True)
        with reply.reading():
            answer = reply.object("rate_response")["rate_response"]
            buyable = [offer for offer in answer.get("rates") or [] if self._buyable(offer)]
            if not buyable:
                raise _no_rates(reply, answer)
        quotes: list[c.RateQuote] = [self._rate.apply(offer).record for offer in buyable]
        return sorted(quotes, key=lambda quote: (quote.currency != request.currency, quote.amount))

    def estimate_rates(self, request: c.RateRequest) -> Sequence[c.RateQuote]:
        """Offers without errors, cheapest first; unlike ``quote_rates`` it makes no shipment."""
        body = self._estimate.render(request, {"carrier_ids": list(self._config.carrier_ids)})
        # Asking twice costs nothing.
        reply = self._api.post("/rates/estimate", op="estimateRates", json=body, idempotent=True)
        offers = reply.rows(having="service_code")
        quotes: list[c.RateQuote] = [
            self._rate.apply(offer).record
            for offer in offers
            if self._buyable(offer) and offer.get("package_type") in (None, "package")
        ]
        return sorted(quotes, key=lambda quote: quote.amount)

    def buy_labels(self, requests: Mapping[str, c.LabelRequest]) -> Sequence[Outcome]:
        """Buy the cheapest; a label that exists under the reference is adopted, not bought."""
        return settle(in_chunks(requests, 1), self._buy)

    def find_label(self, reference: str) -> c.Label | None:
        """The live label of the reference. Raises ``Ambiguous`` when there are several.

        An answer to another question, as a cache in between may give, is no proof of absence.
        """
        try:
            path = f"/labels/external_shipment_id/{segment(reference)}"
            reply = self._api.get(path, op="getLabelByExternalId")
        except Rejected as refusal:
            # A 404 of a proxy, without ShipEngine's own code, says nothing of the label.
            if refusal.status != 404 or not refusal.code:
                raise
            return None
        earliest = reply.object("label_id")
        if earliest.get("external_shipment_id") != reference:
            raise Unreadable(f"ShipEngine told of another label than that of {reference}.")
        shipment = earliest.get("shipment_id")
        others = [*chain.from_iterable(self._listed({"shipment_id": shipment}))]
        if any(label.get("shipment_id") != shipment for label in others):
            raise Unreadable(f"ShipEngine listed other labels than those of {reference}.")
        live = {
            str(label["label_id"]): label
            for label in (earliest, *others)
            if label.get("external_shipment_id") == reference and _is_live(label)
        }
        if len(live) > 1:
            raise Ambiguous(f"Labels {', '.join(live)} are all for {reference}: void all but one.")
        found: list[c.Label] = [_read(self._label, label) for label in live.values()]
        return next(iter(found), None)

    def list_effects(self, since: datetime, until: datetime) -> Iterator[Sequence[Effect]]:
        """Every label bought in the time, also those that others made, with its price.

        No field of a label is required by the contract (``label``): one that could not be shipped
        with, for it has no tracking number yet or ever, is there and costs all the same.
        """
        window = {
            name: moment.astimezone(UTC).isoformat(timespec="seconds")
            for name, moment in (("created_at_start", since), ("created_at_end", until))
        }
        for labels in self._listed(window):
            yield [_effect(label) for label in labels if label.get("status") != "error"]

    def void_label(self, external_id: str) -> Outcome:
        """``applied``: voided, also before; the money comes back when the carrier agrees."""
        path = f"/labels/{segment(external_id)}/void"
        body = self._api.put(path, op="voidLabel", idempotent=True).object("approved")
        code = str(body.get("reason_code") or "")
        done = body["approved"] is True or code == "label_already_voided"
        message = str(body.get("message") or "")
        status: Status = "applied" if done else "rejected"
        return Outcome(external_id, status, external_id, code=code, message=message)

    def track(self, external_id: str) -> Tracked:
        """What happened to the parcel. No field of an event is required by the contract
        (``track_event``), so one that cannot be read says nothing of the others."""
        path = f"/labels/{segment(external_id)}/track"
        reply = self._api.get(path, op="trackLabel")
        events: list[c.TrackingEvent] = []
        findings: list[Finding] = []
        with reply.reading():
            told = list(reply.object().get("events") or [])
        for event in told:
            try:
                events.append(self._event.apply(event).record)
            except MappingError as error:
                findings.append(_unread(external_id, error))
        return Tracked(sorted(events, key=lambda event: event.occurred_at), findings)

    def _listed(self, wanted: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Pages of the labels that fit, oldest first."""
        guard, page = TokenGuard("labels"), 1
        more: str | None = ""
        while more is not None:
            paging = {"sort_dir": "asc", "page_size": PAGE_SIZE, "page": page}
            reply = self._api.get("/labels", op="listLabels", params={**wanted, **paging})
            labels = reply.rows("labels", having="label_id")
            yield labels
            with reply.reading():
                last = page >= int(reply.object().get("pages") or 1)
            page += 1
            ids = [str(label["label_id"]) for label in labels]
            more = guard.follow(None if last else f"{page}", ids)

    def _buy(self, requests: Mapping[str, c.LabelRequest]) -> list[Outcome]:
        ((key, request),) = requests.items()
        if len(request.reference) > LONGEST_REFERENCE:
            raise Rejected(f"{request.reference} is longer than {LONGEST_REFERENCE} characters.")
        quotes = self.quote_rates(request)
        context = {
            "external_shipment_id": request.reference,
            "carrier_id": quotes[0].carrier_id,
            "service_code": quotes[0].service_code,
        }
        body = {"shipment": self._shipment.render(request, context), "label_format": "pdf"}
        try:
            reply = self._api.post("/labels", op="createLabel", json=body)
        except Rejected as refusal:
            with looking_up(refusal):
                label = self.find_label(request.reference)
            if label is None and refusal.code == "identifier_conflict":
                # Their word that there is one, which their index does not know yet.
                raise Ambiguous(f"{refusal} The label itself is not found.") from None
            if label is None:
                raise
        else:
            label = self._bought(reply, request.reference)
        return [Outcome(key, "applied", remote_id=label.external_id, result=label)]

    def _bought(self, reply: Reply, reference: str) -> c.Label:
        """The label of a purchase. Money has moved, so what cannot be read is never a refusal."""
        body = reply.object("label_id", "status")
        if body["status"] == "error":
            raise Rejected(f"The carrier made no label ({body['label_id']}).", "error")
        if body["status"] != "completed" or body.get("external_shipment_id") != reference:
            raise Ambiguous(f"Label {body['label_id']} is not there yet, or is for another parcel.")
        try:
            label: c.Label = self._label.apply(body).record
        except MappingError as error:
            raise Ambiguous(f"A label was bought, and its data is not usable: {error}") from error
        return label

    def _buyable(self, offer: Mapping[str, Any]) -> bool:
        allowed = self._config.service_codes
        return not offer.get("error_messages") and (
            not allowed or offer.get("service_code") in allowed
        )


def _no_rates(reply: Reply, answer: Mapping[str, Any]) -> CrossdockError:
    """Why there are none, in the words of ShipEngine and its carriers.

    ``working`` means that carriers are still asked, and a ``system`` error that one had trouble of
    its own (``rate_response_status``, ``error_type``): neither says anything of the parcel.
    """
    errors = answer.get("errors") or []
    said = [error.get("message") for error in errors]
    for offer in (*(answer.get("rates") or []), *(answer.get("invalid_rates") or [])):
        said += offer.get("error_messages") or []
    words = "; ".join(dict.fromkeys(f"{one}" for one in said if one))
    sentence = reply.unclear(f"has no rate for this parcel: {words or 'no carrier says why'}")
    for_now = answer.get("status") == "working" or any(
        error.get("error_type") == "system" or error.get("error_code") == "rate_limit_exceeded"
        for error in errors
    )
    return sentence if for_now else Rejected(f"{sentence}", "no_rates_returned")


def _is_live(label: Mapping[str, Any]) -> bool:
    return not label.get("voided") and label.get("status") not in ("voided", "error")


def _effect(label: Mapping[str, Any]) -> Effect:
    number = str(label["label_id"])
    try:
        placed_at = utc(label.get("created_at"))
    except Unfit as error:
        raise Unreachable(f"Label {number} has no time that can be read: {error}") from error
    cost, code = _price(label)
    return Effect(
        kind="label",
        reference=str(label.get("external_shipment_id") or ""),
        external_id=number,
        live=_is_live(label),
        placed_at=placed_at,
        cost=cost,
        currency=code,
        remedy=f"void label {number}, which gives the money back",
    )


def _price(label: Mapping[str, Any]) -> tuple[int | None, str]:
    """What was charged in minor units, and its currency; null where that cannot be read."""
    try:
        shipping, insurance = label["shipment_cost"], label.get("insurance_cost") or {}
        code = currency(shipping["currency"])
        charged = money(shipping["amount"], currency=code)
        return charged + money_sum([insurance.get("amount")], currency=code), code
    except (LookupError, TypeError, AttributeError, Unfit):
        return None, ""


def _unread(external_id: str, error: MappingError) -> Finding:
    remedy = "Look the parcel up at its carrier; a new code goes into the mapping definition."
    return Finding(f"an event of label {external_id}", False, str(error), remedy)


def _read(definition: Definition, body: Mapping[str, Any]) -> Any:
    """What a question was answered with. Where it cannot be read nothing is known: it is asked
    again, and never taken for a refusal."""
    try:
        return definition.apply(body).record
    except MappingError as error:
        raise Unreadable(f"ShipEngine answered with data that cannot be read: {error}") from error
