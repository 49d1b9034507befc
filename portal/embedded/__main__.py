"""Starts a keeper: `python -m portal.embedded postgres`."""

import sys
import traceback

from portal.embedded.keeper import SERVICES, keep, say
from portal.embedded.place import EmbeddedFault, log_path

try:
    keep(SERVICES[sys.argv[1]])
except EmbeddedFault as fault:
    say(str(fault))
    raise SystemExit(1) from None
except Exception as error:
    traceback.print_exc()
    what = (str(error).splitlines() or [""])[0] or type(error).__name__
    say(f"The embedded {sys.argv[1]} cannot run: {what} ({log_path(sys.argv[1])}).")
    raise SystemExit(1) from None
