"""From an answer to a reply or an error: the one place where a status code has consequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from connectors.base import Clock
from connectors.errors import (
    Ambiguous,
    ConfigProblem,
    CrossdockError,
    RateLimited,
    Rejected,
    Unreachable,
)
from connectors.redaction import header_secrets, redact
from connectors.replies import (
    Reply,
    Unreadable,
    Verdict,
    complaint,
    consequence,
    read_json,
    retry_after_s,
)
from connectors.wire import Answer, Ask, Failure


@dataclass(frozen=True, slots=True)
class Judge:
    """Puts what happened into an error of ``connectors.errors`` with a sentence for a person."""

    connection: str
    clock: Clock
    secrets: Sequence[str]

    def failure(self, ask: Ask, failure: Failure) -> CrossdockError:
        """No complete answer came."""
        if not failure.sent:
            return Unreachable(self._say(ask, failure.request, str(failure)))
        return self._unclear(ask, failure.request, str(failure))

    def reply(self, ask: Ask, answer: Answer, refill_s: float) -> Reply:
        """The reply when the call was done; raises the fitting error when not.

        ``refill_s``: the wait after a 429 that names none.
        """
        then = consequence(answer.status)
        if then.verdict is Verdict.DONE:
            return self._done(ask, answer)
        asked = retry_after_s(answer.headers, self.clock.now())
        if then.verdict is Verdict.SLOW_DOWN:
            seconds = refill_s if asked is None else asked
            sentence = f"answered {answer.status} ({then.meaning}), wait {seconds:.0f} s"
            raise RateLimited(self._say(ask, answer.request, sentence), seconds)
        code, message = complaint(answer.content)
        said = ": ".join(part for part in (code, message) if part)
        sentence = f"answered {answer.status} ({then.meaning})" + (f": {said}" if said else "")
        if ask.foreign and then.verdict in (Verdict.REFUSED, Verdict.MISCONFIGURED):
            # A presigned address lives for minutes; a new one comes with the next attempt.
            raise Unreachable(self._say(ask, answer.request, sentence))
        if then.verdict is Verdict.REFUSED:
            told = self._say(ask, answer.request, sentence)
            raise Rejected(told, self._clean(answer.request, code, 80), answer.status)
        if then.verdict is Verdict.MOVED and ask.harmless:
            target = f"{sentence} to {answer.headers.get('location', 'nowhere')}"
            raise ConfigProblem(self._say(ask, answer.request, target, then.remedy))
        if then.verdict is Verdict.MISCONFIGURED:
            raise self._not_permitted(ask, answer, sentence, then.remedy)
        raise self._unclear(ask, answer.request, sentence, asked)

    def renewed(self, ask: Ask, answer: Answer) -> Unreachable:
        """The token was refused and has been replaced: worth one more attempt at once."""
        sentence = f"answered {answer.status} (token expired)"
        return Unreachable(self._say(ask, answer.request, sentence), retry_after=0.0)

    def limited(self, ask: Ask, seconds: float) -> RateLimited:
        """Our own knowledge of the limits says that it is not worth asking."""
        return RateLimited(
            f"{self.connection}: {ask.op}: the limit of {ask.url.host} is used up "
            f"for {seconds:.0f} s",
            seconds,
        )

    def _done(self, ask: Ask, answer: Answer) -> Reply:
        def unclear(detail: str) -> CrossdockError:
            return self._unclear(ask, answer.request, detail)

        value = None
        bodyless = not answer.content and answer.status in (202, 204, 205)
        if not ask.foreign and not bodyless:
            try:
                value = read_json(answer.content, answer.headers.get("content-type", ""), ask.shape)
            except Unreadable as problem:
                raise unclear(str(problem)) from None
        return Reply(answer.status, answer.headers, answer.content, value, unclear)

    def _not_permitted(
        self, ask: Ask, answer: Answer, sentence: str, remedy: str
    ) -> CrossdockError:
        if answer.status == 403 and "html" in answer.headers.get("content-type", ""):
            # A firewall's page, not the API's word: it passes, so the connection is not parked.
            sentence += " as a web page: a firewall or security plugin blocks us"
            return Unreachable(self._say(ask, answer.request, sentence))
        return ConfigProblem(self._say(ask, answer.request, sentence, remedy))

    def _unclear(
        self, ask: Ask, request: httpx.Request, detail: str, retry_after: float | None = None
    ) -> CrossdockError:
        if ask.harmless:
            return Unreachable(self._say(ask, request, detail), retry_after)
        return Ambiguous(self._say(ask, request, detail, "It may have taken effect."))

    def _say(self, ask: Ask, request: httpx.Request, detail: str, remedy: str = "") -> str:
        told = self._clean(request, detail, 400).rstrip(".")
        sentence = f"{self.connection}: {ask.op}: {ask.url.host} {told}."
        return f"{sentence} {remedy}" if remedy else sentence

    def _clean(self, request: httpx.Request, text: str, limit: int) -> str:
        return redact(text, [*self.secrets, *header_secrets(request.headers)], limit)
