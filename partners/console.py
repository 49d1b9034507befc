"""The base of every command about a partner: one JSON object or lines for people, progress on stderr, one clear line for a refusal."""

import getpass
import json
import os
import sys
from abc import abstractmethod
from argparse import ArgumentParser, _ArgumentGroup
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from audit.actions import Action
from audit.alerts import tell_of_broken_seals
from audit.context import Actor
from audit.errors import DomainError
from audit.services import record
from partners.migrating import migrate_all
from partners.models import Partner
from partners.postgres import faults
from partners.postgres.roles import PUBLIC
from partners.selectors import partner
from partners.tenancy import public_context, tenant_context

_OR_OPERATORS = "; public: the record of what operators did"


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """A refusal of ours or of the database becomes a CommandError with its fix."""
    try:
        yield
    except DomainError as refusal:
        raise CommandError(refusal.detail) from refusal
    except faults.REFUSALS as error:
        raise CommandError(f"The database refused: {faults.what(error)} -> {faults.fix(error)}") from error


def needed(parser: ArgumentParser) -> _ArgumentGroup:
    """Where options go that the command cannot do without, so that --help tells them apart from the others."""
    return parser.add_argument_group("required")


class PartnerCommand(BaseCommand):
    """A command `manage.py NAME SLUG ...` that runs in that partner's schema, as an operator."""

    takes_existing_partner: ClassVar[bool] = True
    takes_operators: ClassVar[bool] = False    # also of the operators' own record: `public` in the place of a slug
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The slug, then what `add_own_arguments` adds."""
        parser.add_argument("slug", metavar="SLUG", help="the partner's slug" + _OR_OPERATORS * self.takes_operators)
        self.add_own_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """What this command takes beside the slug and --json."""

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Runs the command; a refusal is one line on stderr and exit code 1."""
        self._as_json = bool(options["json"])
        with told_in_one_line():
            migrate_all(report=self.progress)
            result = self._run(options)
        if self._as_json:
            self.stdout.write(json.dumps(result.values, ensure_ascii=False, default=str))
        else:
            for line in result.lines:
                self.stdout.write(line)
        if not result.succeeded:
            sys.exit(1)

    def _run(self, options: dict[str, Any]) -> "Result":
        if not self.takes_existing_partner:
            return self.run(None, options)
        if self.takes_operators and options["slug"] == PUBLIC:
            with public_context():
                return self.run(None, options)
        self.partner: Partner = partner(options["slug"])
        with tenant_context(self.partner):
            # First, so that it is there however the command ends; without its words, which may be personal.
            record(action=Action.COMMAND_RUN, actor=self.actor, object_kind="command", object_id=type(self).__module__.rpartition(".")[2])
            try:
                return self.run(self.partner, options)
            finally:
                tell_of_broken_seals()

    @abstractmethod
    def run(self, partner: Partner | None, options: dict[str, Any]) -> "Result":
        """What the command does. Raises DomainError with what to do about it."""

    def progress(self, line: str) -> None:
        """One line of progress, never on stdout."""
        self.stderr.write(self.style.NOTICE(line))

    @property
    def actor(self) -> Actor:
        """The person at the keyboard."""
        return Actor(kind="operator", id=str(os.getuid()), label=f"command line ({_login_name()})")


class Result:
    """What a command found or made: values for --json, lines for people."""

    def __init__(self, values: Mapping[str, Any], *lines: str, succeeded: bool = True) -> None:
        self.values, self.lines, self.succeeded = dict(values), lines, succeeded


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
