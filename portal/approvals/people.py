"""Who acts: a person with the right role, who does not decide about themselves."""

import uuid

from audit.context import Actor
from audit.vault import keyring
from partners.accounts.models import User
from partners.accounts.roles import Permission
from portal.approvals.errors import OwnApplication, PersonNeeded
from portal.approvals.models import Application
from scoring.models import Applicant


def acting_person(actor: Actor, permission: Permission) -> User:
    """The person who acts, as the database has them now. Raises PersonNeeded for keys, commands, and whoever may not."""
    person = User.objects.filter(id=actor.id, is_active=True).first() if actor.kind == "user" else None
    if person is None:
        raise PersonNeeded
    if not person.allows(permission):
        raise PersonNeeded(f"This needs somebody with the permission {permission}.")
    return person


def is_applicant(person: User, applicant: Applicant) -> bool:
    """Whether the person may be the applicant, as far as keyed hashes tell: the e-mail address is the reference, or the name is theirs.

    A namesake is refused too; somebody else can decide."""
    if applicant.id in own_references(person):
        return True
    name = keyring().blind_index("name", person.name)
    return name is not None and applicant.name_index is not None and bytes(applicant.name_index) == name


def own_references(person: User) -> list[uuid.UUID]:
    """The ids an applicant would have whom the partner calls by this person's e-mail address or id."""
    return [keyring().applicant_id(reference) for reference in (person.email, str(person.id))]


def refuse_own(person: User, application: Application, *, asked_by: User | None = None) -> None:
    """Raises OwnApplication; `asked_by` somebody else, it names the person whom they chose."""
    if application.applicant is not None and is_applicant(person, application.applicant):
        if asked_by is None or asked_by.id == person.id:
            raise OwnApplication
        raise OwnApplication(f"{person.name} looks like the applicant: choose somebody else.")


def has_entered(person_id: uuid.UUID, application: Application) -> bool:
    """Whether this person entered the application."""
    return application.created_by_kind == "user" and application.created_by_id == str(person_id)
