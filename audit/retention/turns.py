"""One at a time, and two people: what goes, what is held and by which rules is never changed by two at once, nor by one alone."""

from django.db import connection

from audit.context import Actor
from audit.errors import SecondPersonNeeded


def take_turn() -> None:
    """Until the transaction ends nobody else removes, holds or changes rules of this partner."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('audit.retention'), hashtext(current_schema()))")


def person(actor: Actor) -> str:
    """Who it is. Raises SecondPersonNeeded for programs and operators, who cannot be told apart as people are."""
    if actor.kind != "user":
        raise SecondPersonNeeded("Only people who are signed in can do that: two of them have to agree.")
    return actor.id
