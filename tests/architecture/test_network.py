"""There is one way to the network: on any other one nobody would vet the addresses."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import REPOSITORY

PACKAGES = ("mappings", "connectors", "state", "sync", "jobs")
CLIENTS = {"requests", "aiohttp", "urllib3", "http.client", "urllib.request", "ftplib", "smtplib"}
CLIENTS |= {"telnetlib", "paramiko", "websockets", "pycurl", "xmlrpc.client", "socketserver"}
SOCKETS = {"connectors/name_service.py", "jobs/leases.py"}
"""What a name leads to, and what this machine is called."""
TRANSPORTS = {"connectors/wire.py", "connectors/egress.py"}
OPENING = {"Client", "AsyncClient", "HTTPTransport", "get", "post", "put", "request", "stream"}


def test_threat_t10_there_is_one_way_to_the_network() -> None:
    found = []
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            found += _ways_out(path)
    assert found == []


def _ways_out(path: Path) -> list[str]:
    place = path.relative_to(REPOSITORY).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
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


def test_a_second_way_would_be_found(tmp_path: Path) -> None:
    path = REPOSITORY / "connectors" / "wire.py"
    assert any(
        "httpx.Client" in ast.unparse(node) for node in ast.walk(ast.parse(path.read_text()))
    )
    assert "socket" in {
        alias.name
        for node in ast.walk(ast.parse((REPOSITORY / "jobs" / "leases.py").read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
