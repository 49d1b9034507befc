"""Starts a keeper: `python -m portal.embedded postgres`."""

import sys

from portal.embedded.keeper import SERVICES, keep, say
from portal.embedded.place import EmbeddedFault

try:
    keep(SERVICES[sys.argv[1]])
except EmbeddedFault as fault:
    say(str(fault))
    raise SystemExit(1) from None
