"""Runs the portal as one command: web server, worker and scheduler, with PostgreSQL and Redis when none is configured."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal import embedded, metrics
from portal.checks import refuse_unsafe_start
from portal.supervisor import Program, Supervisor

THREADS = 4
READY_SECONDS = 60


class Command(BaseCommand):
    """`manage.py up`."""

    help = "Run the portal in the foreground: web server, worker and scheduler, one log. Ctrl-C stops everything it started."
    requires_system_checks: list[str] = []  # they would hold every page and model in this process; an unsafe start is refused below

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where the web server listens (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="the address it listens on (127.0.0.1)")
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="web worker processes (one per core)")
        parser.add_argument("--demo", action="store_true", help="make the two demo partners first, and print how to get in")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Migrates, seeds when asked to, and runs until it is told to stop."""
        refuse_unsafe_start()
        _check_port(options["host"], options["port"])
        folder = _state_folder()
        call_command("migrate", verbosity=0)
        environment = _environment()
        instructions = _seed(environment, options["port"]) if options["demo"] else []
        metrics.fresh_folder(folder / "metrics")
        supervisor = Supervisor(_programs(options, environment), out=sys.stdout, look_after=_look_after)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.stop)
        supervisor.run(started=lambda: _announce(supervisor, options, instructions))
        embedded.stop()


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise CommandError(f"{port} is no port: it must lie between 0 and 65535.") from None
        except OSError as error:
            raise CommandError(f"Port {port} on {host} cannot be used ({error.strerror}). Use another with --port.") from None


def _state_folder() -> Any:
    try:
        return embedded.make_home()
    except embedded.EmbeddedFault as fault:
        raise CommandError(str(fault)) from None


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
    }


def _programs(options: dict[str, Any], environment: dict[str, str]) -> list[Program]:
    python = sys.executable
    manage = str(settings.BASE_DIR / "manage.py")
    web = [
        python, "-m", "granian", "--interface", "wsgi", "--host", options["host"], "--port", str(options["port"]),
        "--workers", str(options["workers"]), "--blocking-threads", str(THREADS), "--blocking-threads-idle-timeout", "600",
        "--backlog", "1024", "--http", "1", "--no-ws", "--respawn-failed-workers", "--respawn-interval", "0.5",
        "--workers-kill-timeout", "10", "--log-level", "warning", "--working-dir", str(settings.BASE_DIR), "portal.wsgi:application",
    ]  # fmt: skip
    queue = [
        python, "-m", "celery", "--quiet", "-A", "portal.celery", "worker", "--loglevel", "WARNING",
        "--concurrency", str(os.cpu_count() or 1), "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    queue_environment = {**environment, "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
    web_environment = {
        **environment, "PROMETHEUS_MULTIPROC_DIR": str(settings.VOUCH_HOME / "metrics"), "VOUCH_WEB_WORKERS": str(options["workers"])
    }  # fmt: skip
    return [
        Program("web", web, web_environment),
        Program("worker", queue, queue_environment),
        Program("scheduler", [python, manage, "run_scheduler"], environment),
    ]


def _seed(environment: dict[str, str], port: int) -> list[str]:
    """Makes the demo and returns how to get in. In a process of its own: training libraries must not stay in memory beside the servers."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "seed_demo", "--port", str(port)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise CommandError("The demo could not be made; the lines above say why.")
    return done.stdout.splitlines()


def _look_after() -> None:
    try:
        embedded.restart_dead_keepers()
    except embedded.EmbeddedFault as fault:
        sys.stderr.write(f"{fault}\n")


def _announce(supervisor: Supervisor, options: dict[str, Any], instructions: list[str]) -> None:
    """Says once that the portal answers, and how to get in."""
    address = f"http://{'127.0.0.1' if options['host'] == '0.0.0.0' else options['host']}:{options['port']}"  # noqa: S104
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(address) and not supervisor.stopping:
        if time.monotonic() > deadline:
            supervisor.say("up", f"The portal does not answer on {address} yet; the lines above say why.")
            return
        time.sleep(0.1)
    if supervisor.stopping:
        return
    supervisor.say("up", f"The portal answers on port {options['port']}. Ctrl-C stops it.")
    for line in instructions:
        supervisor.say("up", line)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=2) as answer:  # noqa: S310 - an address made here
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
