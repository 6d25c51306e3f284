"""A tap that does what its settings say, step by step: the nasty ones are made of it.

Run as a program. ``steps`` of the settings: ``["say", text]``, ``["raw", text]`` (no line end),
``["records", first, last]``, ``["heavy", records, bytes]``, ``["state", value]``,
``["stderr", text, times]``, ``["deaf"]`` (takes no SIGTERM), ``["wait"]`` (for ever),
``["endless"]``, ``["child"]`` (starts one that waits), ``["hang up"]`` (closes stdout),
``["show", what]`` (a record of the environment or the options), ``["rows", last, every, cut]``
(rows after its state, a STATE after ``every`` of them, ended in the middle after ``cut``),
``["exit", code]``. ``asked`` names a file that counts discoveries; ``broken`` has none.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

STREAMS = ["orders", "customers", "items"]


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def record(number: int) -> dict[str, Any]:
    return {"id": number, "name": f"row {number}"}


def read(path: str | None) -> Any:
    return json.loads(Path(path).read_text()) if path else None


def discover() -> None:
    streams = [
        {
            "stream": name,
            "tap_stream_id": name,
            "schema": {"type": "object", "properties": {"id": {}, "name": {}}},
            "metadata": [
                {"breadcrumb": ["properties", "id"], "metadata": {"inclusion": "automatic"}},
                {"breadcrumb": ["properties", "name"], "metadata": {"inclusion": "available"}},
            ],
        }
        for name in STREAMS
    ]
    sys.stdout.write(json.dumps({"streams": streams}, indent=2))


def rows(state: Any, last: int, every: int, cut: int) -> None:
    """Rows after the one the state names, each written once it is read."""
    done = (state or {}).get("row", 0)
    for count, number in enumerate(range(done + 1, last + 1), start=1):
        say(type="RECORD", stream="orders", record=record(number))
        if number % every == 0:
            say(type="STATE", value={"row": number})
        if count == cut:
            os._exit(1)
    say(type="STATE", value={"row": last})


def show(what: str, options: argparse.Namespace) -> None:
    seen: dict[str, Any] = {"id": 1}
    if what == "environment":
        seen["environment"] = dict(os.environ)
    if what == "options":
        seen |= {"state": read(options.state), "catalog": read(options.catalog)}
        seen |= {"settings": read(options.config), "folder": str(Path.cwd())}
        seen["files"] = {
            path: stat.S_IMODE(Path(path).stat().st_mode)
            for path in (options.config, options.state, options.catalog)
            if path
        }
    say(type="RECORD", stream="orders", record=seen)


def step(options: argparse.Namespace, name: str, *given: Any) -> None:
    match name:
        case "say" | "raw":
            sys.stdout.write(given[0] + ("\n" if name == "say" else ""))
            sys.stdout.flush()
        case "records":
            for number in range(given[0], given[1] + 1):
                say(type="RECORD", stream="orders", record=record(number))
        case "heavy":
            for number in range(given[0]):
                say(type="RECORD", stream="orders", record={"id": number, "text": "x" * given[1]})
        case "state":
            say(type="STATE", value=given[0])
        case "stderr":
            for _ in range(given[1]):
                sys.stderr.write(given[0] + "\n")
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "wait":
            while True:
                signal.pause()
        case "endless":
            while True:
                say(type="RECORD", stream="orders", record=record(1))
        case "child":
            wait = [sys.executable, "-c", "import signal; signal.pause()"]
            subprocess.Popen(wait)
        case "hang up":
            os.close(1)
        case "show":
            show(given[0], options)
        case "rows":
            rows(read(options.state), *given)
        case "exit":
            sys.stdout.flush()
            os._exit(given[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("config", "state", "catalog"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--discover", action="store_true")
    options = parser.parse_args()
    settings = read(options.config)
    if options.discover and not settings.get("broken"):
        if "asked" in settings:
            with Path(settings["asked"]).open("a") as file:
                file.write("discover\n")
        discover()
        return
    if settings.get("schema", True):
        key = settings.get("key", ["id"])
        say(type="SCHEMA", stream="orders", schema={"type": "object"}, key_properties=key)
    for name, *given in settings["steps"]:
        step(options, name, *given)


if __name__ == "__main__":
    main()
