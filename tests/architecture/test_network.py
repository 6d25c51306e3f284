"""There is one way to the network: on any other one nobody would vet the addresses."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("mappings", "connectors", "state", "sync", "jobs")
CLIENTS = {"requests", "aiohttp", "urllib3", "http.client", "urllib.request", "ftplib", "smtplib"}
CLIENTS |= {"telnetlib", "paramiko", "websockets", "pycurl", "xmlrpc.client", "socketserver"}
SOCKETS = {"connectors/name_service.py", "jobs/leases.py"}
"""What a name leads to, and what this machine is called."""
TRANSPORTS = {"connectors/egress.py"}
OPENING = {"Client", "AsyncClient", "HTTPTransport", "get", "post", "put", "request", "stream"}


def test_threat_t10_there_is_one_way_to_the_network() -> None:
    found = []
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            place = path.relative_to(REPOSITORY).as_posix()
            found += _ways_out(place, path.read_text(encoding="utf-8"))
    assert found == []


def _ways_out(place: str, text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [f"{place} imports {name}" for name in names if name in CLIENTS]
        if "socket" in names and place not in SOCKETS:
            found.append(f"{place} opens sockets")
        if "httpcore" in names and place not in TRANSPORTS:
            found.append(f"{place} goes past the door")
        if isinstance(node, ast.Call) and place not in TRANSPORTS:
            name = ast.unparse(node.func)
            if name.startswith("httpx.") and name.removeprefix("httpx.") in OPENING:
                found.append(f"{place} calls {name}")
    return found


@pytest.mark.parametrize(
    "second",
    [
        "import requests",
        "from urllib.request import urlopen",
        "import socket",
        "import httpcore",
        "httpx.Client().get('https://shop.example')",
        "httpx.get('https://shop.example')",
    ],
)
def test_a_second_way_would_be_found(second: str) -> None:
    assert _ways_out("connectors/another.py", second)
