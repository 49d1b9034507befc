"""Applications, policies and people for tests: with a small product whose outcome can be chosen."""

import uuid
from dataclasses import replace
from typing import Any

from audit.context import Actor
from partners.accounts.models import User
from partners.accounts.services import create_user
from partners.tenancy import public_context
from portal.approvals.models import Application
from portal.approvals.services.applications import Asked, receive_application
from portal.approvals.services.moves import Why
from scoring.applicants import ApplicantDetails
from scoring.engine.policy import Policy
from scoring.models import Channel
from scoring.services.products import create_product
from tests.conftest import PASSWORD, House
from tests.scoring.factories import INPUTS, SLUG, a_definition, by_key

KES = "KES"
WHY = Why("income_confirmed")
# Cut-offs by which the rules of the product give one outcome to everybody.
APPROVES, REFERS, DECLINES = (300, 300), (851, 300), (851, 851)


def add_product(cut_offs: tuple[int, int] = REFERS, slug: str = SLUG) -> None:
    """A product, answered by rules that may approve, all of whose decisions come out alike."""
    approve_from, decline_below = cut_offs
    policy = Policy(approve_from=approve_from, decline_below=decline_below, bands=(800, 700, 600, 500))
    definition = a_definition(slug)
    definition = replace(definition, rules=replace(definition.rules, may_approve=True))
    create_product(definition=definition, policy=policy, actor=by_key())


def asked(amount_minor: int = 6_000_000, reference: str = "", *, name: str | None = None, **changed: Any) -> Asked:
    """Somebody asks for money; somebody new unless a reference is given."""
    applicant = ApplicantDetails(reference=reference or f"R-{uuid.uuid4()}", name=name)
    return Asked(SLUG, applicant, {**INPUTS, **changed}, amount_minor, KES)


def render(application: Application) -> bytes:
    """The least of an answer: which one."""
    return str(application.id).encode()


def receive(what: Asked | None = None, *, actor: Actor | None = None) -> Application:
    """An application, scored and routed."""
    answer = receive_application(asked=what or asked(), actor=actor or by_key(), channel=Channel.API, render=render)
    return Application.objects.select_related("applicant").get(id=uuid.UUID(answer.body.decode()))


def actor_of(user: User) -> Actor:
    """The person acting."""
    return Actor(kind="user", id=str(user.id), label=user.name, role=user.role)


def acting(house: House, role: str) -> Actor:
    """The house's person of this role acting."""
    return actor_of(house.users[role])


class Browser:
    """Somebody of this role at the house's pages; the test's own schema is in force again after each request."""

    def __init__(self, house: House, role: str) -> None:
        self.client = house.client(role)

    def get(self, path: str, **options: Any) -> Any:
        with public_context():
            return self.client.get(path, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> Any:
        with public_context():
            return self.client.post(path, data, **options)


def another(role: str, name: str = "Zawadi Kimani") -> Actor:
    """One more person of this role."""
    email = f"{uuid.uuid4().hex[:12]}@more.example"
    return actor_of(create_user(email=email, role=role, password=PASSWORD, name=name, actor=by_key()))
