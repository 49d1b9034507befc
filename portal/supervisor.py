"""Runs several programs as one: one log, each started again when it dies, all stopped together."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

STOP_SECONDS = 15.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
STEADY_SECONDS = 30.0


@dataclass
class Program:
    """One program: what starts it and how it fares."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause: float = SHORTEST_PAUSE


@dataclass
class Supervisor:
    """Keeps the programs running until it is told to stop."""

    programs: Sequence[Program]
    out: IO[str] = sys.stdout
    look_after: Callable[[], None] = lambda: None
    _stop: threading.Event = field(default_factory=threading.Event)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _pipes: list[threading.Thread] = field(default_factory=list)

    def stop(self, *_signal: object) -> None:
        """Asks `run` to end."""
        self._stop.set()

    def say(self, name: str, line: str) -> None:
        """One line of the common log."""
        with self._writing, contextlib.suppress(BrokenPipeError):
            self.out.write(f"{name:<9} | {line}\n")
            self.out.flush()

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Starts everything, calls `started` beside it, and returns when all has stopped."""
        for program in self.programs:
            self._start(program)
        threading.Thread(target=started, daemon=True).start()
        try:
            while not self._stop.wait(0.25):
                self.look_after()
                for program in self.programs:
                    self._watch(program)
        finally:
            self._end_all()

    def first(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """The exit code and output of a command that ends by itself, or is ended when it is time to stop."""
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=end_with_parent,
        )  # fmt: skip
        stop_at = 0.0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, _ = process.communicate(timeout=0.1)
                return process.returncode, output
            if self.stopping and not stop_at:
                process.terminate()
                stop_at = time.monotonic() + STOP_SECONDS
            if stop_at and time.monotonic() > stop_at:
                os.killpg(process.pid, signal.SIGKILL)

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self._stop.is_set()

    def _start(self, program: Program) -> None:
        process = subprocess.Popen(  # noqa: S603
            program.command, env=program.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
        program.process, program.started_at = process, time.monotonic()
        pipe = threading.Thread(target=self._copy, args=(program.name, process.stdout), daemon=True)
        pipe.start()
        self._pipes.append(pipe)

    def _copy(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.say(name, line.decode(errors="replace").rstrip())

    def _watch(self, program: Program) -> None:
        now = time.monotonic()
        if program.process is None:
            if now >= program.restart_at:
                self._start(program)
            return
        code = program.process.poll()
        if code is None:
            return
        with contextlib.suppress(ProcessLookupError):  # its orphans would keep its port and never be stopped
            os.killpg(program.process.pid, signal.SIGKILL)
        if now - program.started_at > STEADY_SECONDS:
            program.pause = SHORTEST_PAUSE
        self.say("up", f"{program.name} ended with code {code}; it starts again in {program.pause:g} s.")
        program.process, program.restart_at = None, now + program.pause
        program.pause = min(program.pause * 2, LONGEST_PAUSE)

    def _end_all(self) -> None:
        running = [program.process for program in self.programs if program.process is not None and program.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):  # what it started and left behind goes too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in self._pipes:
            pipe.join(1.0)


def end_with_parent() -> None:
    """In a child that is about to become another program: it is told to end when this process has ended, however that came."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # PR_SET_PDEATHSIG
