"""Operators: people of the shared schema, who run Vouch for all partners and see nothing of what partners decide."""

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import ensure_keyring
from partners.accounts.errors import PasswordRefused, UserExists, UserRefused, UserUnknown
from partners.accounts.models import User
from partners.accounts.roles import Role
from partners.accounts.services import faults_of_person
from partners.tenancy import public_context


def create_operator(*, email: str, password: str, actor: Actor, name: str = "") -> User:
    """The person can sign in to the admin of the public host. Raises UserExists, UserRefused or PasswordRefused."""
    email = email.strip().lower()
    name = name.strip() or email.partition("@")[0]
    if faults := faults_of_person(email=email, password=password, name=name):
        raise PasswordRefused(fields=faults) if set(faults) == {"password"} else UserRefused(fields=faults)
    with public_context(), transaction.atomic():
        ensure_keyring()
        if User.objects.filter(email=email).exists():
            raise UserExists(f"There is already an operator {email}.")
        user = User(email=email, name=name, role=Role.ADMIN, is_staff=True)
        user.set_password(password)
        user.save(force_insert=True)
        record(action=Action.USER_CREATED, actor=actor, object_kind="user", object_id=user.id, detail={"role": "operator"})
    return user


def operator(email: str) -> User:
    """The operator with this address, in the shared schema. Raises UserUnknown."""
    found = User.objects.filter(email=email.strip().lower(), is_staff=True, is_active=True).first()
    if found is None:
        raise UserUnknown(f"There is no operator {email.strip().lower()}: `manage.py create_operator` makes one.")
    return found
