"""What the web server calls."""

import gc
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ.setdefault("VOUCH_STATEMENT_TIMEOUT_SECONDS", "5")  # a request waits less long than a command
os.environ.setdefault("VOUCH_LOCK_TIMEOUT_SECONDS", "2")

django.setup(set_prefix=False)

from partners.accounts import request_log  # noqa: E402 - settings are read by the line above
from portal.application import Application  # noqa: E402
from portal.checks import refuse_unsafe_start  # noqa: E402
from portal.warm import warm  # noqa: E402

application = Application()
refuse_unsafe_start()
warm()
request_log.start()
gc.collect()
gc.set_threshold(5_000, 20, 20)  # a request leaves about fifty objects in circles: looking for them 700 objects apart cost it a twentieth
sys.setswitchinterval(0.0005)  # a thread back from PostgreSQL or the kernel waits a tenth as long for the one that computes
gc.freeze()  # what is loaded by now stays: no collection has to look at it again, and no fork copies it
