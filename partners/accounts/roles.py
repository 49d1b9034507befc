"""Who may do what: roles and their permissions, as data."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """One thing that a person or a key may do; also the scopes of an API key."""

    DECISION_READ = "decision.read"
    DECISION_MAKE = "decision.make"
    APPLICANT_READ = "applicant.read"    # names, references and inputs in clear
    APPLICATION_DECIDE = "application.decide"    # the first person
    APPLICATION_APPROVE = "application.approve"    # the second, where two have to agree
    PRODUCT_READ = "product.read"
    PRODUCT_EDIT = "product.edit"
    MODEL_READ = "model.read"
    MODEL_TRAIN = "model.train"
    MODEL_PROMOTE = "model.promote"
    USER_READ = "user.read"
    USER_MANAGE = "user.manage"
    KEY_MANAGE = "key.manage"
    WEBHOOK_MANAGE = "webhook.manage"
    RECORD_READ = "record.read"
    PRIVACY_MANAGE = "privacy.manage"    # requests of applicants; an erasure takes two who hold it


class Role(models.TextChoices):
    """What a person does for the partner."""

    VIEWER = "viewer", _("Viewer")
    OFFICER = "officer", _("Lending officer")
    APPROVER = "approver", _("Approver")
    ANALYST = "analyst", _("Risk analyst")
    SCIENTIST = "scientist", _("Data scientist")
    DEVELOPER = "developer", _("Integration engineer")
    COMPLIANCE = "compliance", _("Compliance officer")
    ADMIN = "admin", _("Administrator")


_P = Permission
_SEES = frozenset({_P.DECISION_READ, _P.PRODUCT_READ, _P.MODEL_READ})
_DECIDES = _SEES | {_P.DECISION_MAKE, _P.APPLICANT_READ}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _SEES,
    Role.OFFICER: _DECIDES | {_P.APPLICATION_DECIDE},
    Role.APPROVER: _DECIDES | {_P.APPLICATION_DECIDE, _P.APPLICATION_APPROVE},
    Role.ANALYST: _DECIDES | {_P.PRODUCT_EDIT, _P.RECORD_READ, _P.MODEL_PROMOTE},    # the second person of a promotion: ADR 10
    Role.SCIENTIST: _SEES | {_P.PRODUCT_EDIT, _P.MODEL_TRAIN, _P.MODEL_PROMOTE},
    Role.DEVELOPER: _DECIDES | {_P.KEY_MANAGE, _P.WEBHOOK_MANAGE},
    Role.COMPLIANCE: _SEES | {_P.APPLICANT_READ, _P.RECORD_READ, _P.USER_READ, _P.PRIVACY_MANAGE},
    Role.ADMIN: frozenset(Permission),
}
# Who may do one of these signs in with a second factor: they approve, administer, or see personal data.
_GUARDED = frozenset({
    _P.APPLICANT_READ, _P.APPLICATION_DECIDE, _P.APPLICATION_APPROVE, _P.PRODUCT_EDIT, _P.MODEL_PROMOTE, _P.USER_READ, _P.USER_MANAGE,
    _P.KEY_MANAGE, _P.WEBHOOK_MANAGE, _P.RECORD_READ, _P.PRIVACY_MANAGE,
})    # fmt: skip
KEY_SCOPES = frozenset({_P.DECISION_READ, _P.DECISION_MAKE, _P.APPLICANT_READ, _P.PRODUCT_READ, _P.MODEL_READ})


def permissions_of(role: str) -> frozenset[Permission]:
    """What this role may do; nothing for a role that does not exist."""
    return ROLE_PERMISSIONS[Role(role)] if role in Role.values else frozenset()


def needs_second_factor(role: str) -> bool:
    """Whether a password alone does not open what this role may do."""
    return not permissions_of(role).isdisjoint(_GUARDED)
