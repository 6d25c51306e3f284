"""What each connector is, can do and wants to know, taken from its own class."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from connectors.registry import CONNECTORS
from jobs.catalogue import JOBS
from jobs.problems import UsageProblem
from jobs.secret_references import secret_fields
from jobs.settings_problems import did_you_mean


def about(connector: str | None = None) -> list[dict[str, Any]]:
    """Facts about every connector, or about one; raises ``UsageProblem`` for an unknown one."""
    if connector is not None and connector not in CONNECTORS:
        near = did_you_mean(connector, CONNECTORS)
        raise UsageProblem(f"There is no connector {connector!r}{near}")
    return [_facts(name) for name in sorted(CONNECTORS) if connector in (None, name)]


def _facts(name: str) -> dict[str, Any]:
    made = CONNECTORS[name]
    jobs = [
        job.name
        for job in JOBS.values()
        if job.needs
        and issubclass(made, job.needs)
        and (made.info.looks_back or not job.looks_back)
    ]
    return {
        "connector": name,
        "title": made.info.title,
        "kind": made.info.kind,
        "jobs": jobs,
        "pushes": sorted(made.info.pushes),
        "settings": setting_facts(made.config_model),
    }


def setting_facts(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Every key of a settings model: whether it is needed, its default, what it means."""
    secrets = secret_fields(model)
    return [
        {
            "key": key,
            "needed": field.is_required(),
            "secret": key in secrets,
            "default": None
            if field.is_required()
            else field.get_default(call_default_factory=True),
            "help": field.description
            or ("a secret: env:NAME or file:PATH" if key in secrets else ""),
        }
        for key, field in model.model_fields.items()
    ]
