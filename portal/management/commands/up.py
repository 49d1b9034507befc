"""Runs the portal as one command: web server, worker and scheduler, with PostgreSQL and Redis when none is configured."""

import errno
import ipaddress
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from partners.console import told_in_one_line
from partners.models import Partner
from partners.tenancy import public_context
from portal import embedded, metric_files
from portal.checks import refuse_unsafe_start, refuse_wrong_keys
from portal.supervisor import Program, Supervisor
from portal.waiting import wait_until

THREADS = 4
READY_SECONDS = 60
MOST_WORKERS = 256


class Command(BaseCommand):
    """`manage.py up`."""

    help = "Run the portal in the foreground: web server, worker and scheduler, one log. Ctrl-C stops everything it started."
    requires_system_checks: list[str] = []  # they would hold every page and model in this process; an unsafe start is refused below

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", default="8000", help="where the web server listens (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="the address it listens on (127.0.0.1)")
        parser.add_argument("--workers", default=str(os.cpu_count() or 1), help="web worker processes (one per core)")
        parser.add_argument("--demo", action="store_true", help="make the two demo partners first, and print how to get in")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Migrates, seeds when asked to, and runs until it is told to stop."""
        refuse_unsafe_start()
        site = Site.of(options)
        site.check()
        folder = _state_folder()
        call_command("migrate", verbosity=0)
        with told_in_one_line():
            refuse_wrong_keys()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **({"VOUCH_RELAXED_SIGN_IN": "1"} if options["demo"] else {})}
        with metric_files.run_folder(folder) as figures:
            supervisor = Supervisor(_programs(site, environment, figures), out=sys.stdout, look_after=_look_after)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, supervisor.stop)
            instructions = _seed(supervisor, environment, site.port) if options["demo"] else _first_steps()
            if not supervisor.stopping:
                supervisor.run(started=lambda: _announce(supervisor, site, instructions))
        embedded.stop()


@dataclass(frozen=True)
class Site:
    """Where the web server listens, and with how many workers."""

    host: str
    port: int
    workers: int

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Site":
        """What was asked for. Raises CommandError for what is no number."""
        host = "127.0.0.1" if options["host"] == "localhost" else str(options["host"])
        port, workers = _between("--port", options["port"], 1, 65_535), _between("--workers", options["workers"], 1, MOST_WORKERS)
        return cls(host, port, workers)

    @property
    def address(self) -> str:
        """How this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # nosec B104 # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def check(self) -> None:
        """Raises CommandError when it cannot listen there."""
        try:
            family = socket.AF_INET6 if ipaddress.ip_address(self.host).version == 6 else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except ValueError:
            raise CommandError(f"--host {self.host!r} is no address; write one of this machine's, such as 127.0.0.1 or ::1.") from None
        except OSError as error:
            if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise CommandError(f"--host {self.host} is no address of this machine ({error.strerror}). Name another.") from None
            message = f"Port {self.port} on {self.host} cannot be used ({error.strerror}). Use another with --port."
            raise CommandError(message) from None


def _between(option: str, text: object, least: int, most: int) -> int:
    try:
        number = int(str(text))
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise CommandError(f"{option} is {str(text)!r}; write a whole number from {least} to {most}.")
    return number


def _state_folder() -> Path:
    try:
        return embedded.make_home()
    except embedded.EmbeddedFault as fault:
        raise CommandError(str(fault)) from None


def _programs(site: Site, environment: dict[str, str], figures: Path | None) -> list[Program]:
    python = sys.executable
    manage = str(settings.BASE_DIR / "manage.py")
    web = [
        python, "-m", "granian", "--interface", "wsgi", "--host", site.host, "--port", str(site.port),
        "--workers", str(site.workers), "--blocking-threads", str(THREADS), "--blocking-threads-idle-timeout", "600",
        "--backlog", "1024", "--http", "1", "--no-ws", "--respawn-failed-workers", "--respawn-interval", "0.5",
        "--workers-kill-timeout", "10", "--log-level", "warning", "--working-dir", str(settings.BASE_DIR), "portal.wsgi:application",
    ]  # fmt: skip
    queue = [
        python, "-m", "celery", "--quiet", "-A", "portal.celery", "worker", "--loglevel", "WARNING",
        "--concurrency", str(os.cpu_count() or 1), "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    queue_environment = {**environment, "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
    shared = {} if figures is None else {"PROMETHEUS_MULTIPROC_DIR": str(figures)}
    return [
        Program("web", web, {**environment, **shared, "VOUCH_WEB_WORKERS": str(site.workers)}),
        Program("worker", queue, queue_environment),
        Program("scheduler", [python, manage, "run_scheduler"], environment),
    ]


def _seed(supervisor: Supervisor, environment: dict[str, str], port: int) -> list[str]:
    """Makes the demo and returns how to get in. In a process of its own: training libraries must not stay in memory beside the servers."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "seed_demo", "--port", str(port)]
    code, output = supervisor.first(command, environment)
    if code != 0 and not supervisor.stopping:
        raise CommandError("The demo could not be made; the lines above say why.")
    return output.splitlines()


def _first_steps() -> list[str]:
    """What to do on a portal without a partner."""
    with public_context():
        if Partner.objects.exclude(schema_name="public").exists():
            return []
    return [
        "There is no partner yet. Make one, and somebody who may sign in:",
        "    .venv/bin/python manage.py create_partner SLUG --name NAME --country CC --currency CUR",
        "    .venv/bin/python manage.py create_user SLUG EMAIL --role admin",
    ]


def _look_after() -> None:
    try:
        embedded.restart_dead_keepers()
    except embedded.EmbeddedFault as fault:
        sys.stderr.write(f"{fault}\n")


def _announce(supervisor: Supervisor, site: Site, instructions: list[str]) -> None:
    """Says once that the portal answers, and how to get in."""
    if not wait_until(lambda: supervisor.stopping or _answers(site.address), READY_SECONDS, pause=0.1):
        supervisor.say("up", f"The portal does not answer on {site.address} yet; the lines above say why.")
        return
    if supervisor.stopping:
        return
    supervisor.say("up", f"The portal answers on port {site.port}. Ctrl-C stops it.")
    for line in instructions:
        supervisor.say("up", line)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=2) as answer:  # nosec B310 # noqa: S310 - an address made here
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
