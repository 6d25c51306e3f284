"""The ``crossdock`` command; its sub-commands are listed in ``jobs.commands``."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import click
from sqlalchemy.exc import DBAPIError

from connectors.errors import CrossdockError
from jobs import accountable
from jobs.commands import COMMANDS
from jobs.problems import OperatorError, UsageProblem
from jobs.version import version
from mappings import DefinitionsInvalid
from state.errors import StoreProblem


class Refusal(click.ClickException):
    """A sentence and a remedy on stderr; ends with 1."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.message}", err=True, file=file)
        if self.remedy:
            click.echo(self.remedy, err=True, file=file)


class UsageRefusal(Refusal):
    """The same for wrong usage or configuration; ends with 2."""

    exit_code = UsageProblem.code


class Cli(click.Group):
    """Turns what the operator can mend into a sentence; ``CROSSDOCK_DEBUG=1`` shows where from."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (
            OperatorError,
            StoreProblem,
            DefinitionsInvalid,
            CrossdockError,
            DBAPIError,
        ) as error:
            if os.environ.get("CROSSDOCK_DEBUG"):
                raise
            raise _refusal(error) from None


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="CROSSDOCK_CONFIG",
    help="The settings file; default is settings.toml in this folder.",
)
@click.option(
    "--actor",
    default="",
    envvar="CROSSDOCK_ACTOR",
    help="Who gives the command, where many share one user; kept in the audit trail.",
)
@click.option("--because", default="", help="Why; kept in the audit trail.")
@click.version_option(version(), prog_name="crossdock")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, actor: str, because: str) -> None:
    """Pull orders from every channel, have them shipped, write back tracking and stock.

    \b
    First steps:
      crossdock init           write settings.toml and an example connection
      crossdock check          test settings, credentials and clocks
      crossdock run            run until told to stop
    """
    ctx.obj = config
    accountable.note(ctx, actor, because)


def main() -> None:
    sys.excepthook = explain_bug
    cli(prog_name="crossdock")


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, UsageProblem):
        return UsageRefusal(str(error), error.remedy)
    if isinstance(error, DefinitionsInvalid):
        return UsageRefusal(str(error), "Mend the mapping definitions.")
    if isinstance(error, DBAPIError):
        return _store_failed(error)
    return Refusal(str(error), error.remedy if isinstance(error, OperatorError) else "")


def _store_failed(error: DBAPIError) -> Refusal:
    # Not at the top: whoever only asks for help needs no tables.
    from state.migrate import damaged
    from state.store import is_damaged

    if is_damaged(error):
        return Refusal(str(damaged("of [store] url")), "")
    reason = str(error.orig).strip().splitlines()[0]
    return Refusal(f"The store failed: {reason}", "Try again, or `crossdock check`.")


def explain_bug(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """The last resort: a bug of ours, in one sentence."""
    if os.environ.get("CROSSDOCK_DEBUG"):
        sys.__excepthook__(kind, error, trace)
        return
    click.echo(f"Error: a bug in Crossdock: {kind.__name__}: {error}", err=True)
    click.echo("CROSSDOCK_DEBUG=1 shows where it happened; please report it.", err=True)
