"""The server: whoever sends slowly waits alone.

Requests are received by one thread that waits for all connections at once, and only whole ones are
given to the threads that work: a thousand callers that drip a byte a second take memory and a
socket each, and nobody's turn.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from sync import outcomes
from web.bounds import Bounds
from web.exchange import Exchange, Reply, plain
from web.intake import RETRY_AFTER_S

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

_BACKLOG = 1024


class Server:
    """Serves a WSGI application whose requests and answers are small.

    ``start`` answers the port it listens on (0 takes a free one) and raises ``OSError`` when the
    address cannot be had; ``stop`` lets what was received be answered.
    """

    def __init__(self, application: WSGIApplication, bounds: Bounds | None = None) -> None:
        self._application = application
        self._bounds = bounds or Bounds()
        self._pool = ThreadPoolExecutor(self._bounds.threads, thread_name_prefix="web")
        self._in_hand = 0
        # In the order they came: the first one has been sending for longest.
        self._receiving: dict[asyncio.Task[Any], None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> int:
        # In the caller's thread, and only then served in our own: whatever is wrong with the
        # address is raised where somebody waits for it.
        listening = self._loop.run_until_complete(self._listen(host, port))
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="web", daemon=True
        )
        self._thread.start()
        return int(listening.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """No new connections; those that were received are answered, the others are dropped."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._loop.close()
        self._pool.shutdown(wait=True)

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        try:
            return await asyncio.start_server(self._converse, host, port, backlog=_BACKLOG)
        except ValueError as error:
            # Names that cannot even be asked for: with an empty label, too long, with a zero byte.
            raise OSError(f"{host!r} is no host name") from error

    def _run(self, listening: asyncio.Server) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(listening))

    async def _serve(self, listening: asyncio.Server) -> None:
        await self._stopping.wait()
        listening.close()
        # Who was accepted just now begins, and is dropped with the others.
        await asyncio.sleep(0)
        for task in self._receiving:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._bounds.send_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._receiving) >= self._bounds.connections:
            next(iter(self._receiving)).cancel()
        self._receiving[task] = None
        self._tasks.add(task)
        try:
            exchange = Exchange(reader, writer, self._bounds)
            await exchange.serve(self._respond, lambda: self._receiving.pop(task))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._receiving.pop(task, None)
            self._tasks.discard(task)
            writer.close()

    async def _respond(self, environ: WSGIEnvironment) -> Reply:
        if self._in_hand >= self._bounds.threads + self._bounds.waiting:
            return plain(503, RETRY_AFTER_S)
        self._in_hand += 1
        try:
            return await self._loop.run_in_executor(self._pool, self._call, environ)
        finally:
            self._in_hand -= 1

    def _call(self, environ: WSGIEnvironment) -> Reply:
        answers: list[Reply] = []
        verdict = outcomes.attempt(lambda: answers.append(answer_of(self._application, environ)))
        if verdict is not None:
            log.error("request failed", error=verdict.message)
            return plain(500)
        return answers[0]


def answer_of(application: WSGIApplication, environ: WSGIEnvironment) -> Reply:
    """The whole answer of a WSGI application."""
    begun: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], *_exc_info: object
    ) -> Callable[[bytes], object]:
        begun.append((int(status.split(" ", 1)[0]), headers))
        return lambda data: data

    parts: Iterable[bytes] = application(environ, start_response)
    body = b"".join(parts)
    status, headers = begun[-1]
    return Reply(status, headers, body)
