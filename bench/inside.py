"""What runs inside the portal's own process: `python -m bench.inside WHAT REQUESTS.json DECISIONS`.

WHAT: `cost`, `steps` or `cache`; prints JSON. VOUCH_HOME names a state folder that has the partners the requests go to."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cache import hits_and_misses
from bench.in_process import Client, cost
from bench.steps import shares
from portal import embedded

WHATS: dict[str, Callable[[Client, int], dict[str, Any]]] = {"cost": cost, "steps": shares, "cache": hits_and_misses}


def main() -> None:
    """Starts PostgreSQL and Redis unless they run, and prints what was asked for."""
    what, requests, decisions = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    print(json.dumps(WHATS[what](Client(json.loads(Path(requests).read_text())), int(decisions))))


if __name__ == "__main__":
    main()
