"""Vouch's API in Python: `Client(address, key).score_create({...})`."""

from vouch_client.generated import Client
from vouch_client.transport import Refused, Unreachable

__all__ = ["Client", "Refused", "Unreachable"]
