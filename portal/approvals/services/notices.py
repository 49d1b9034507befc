"""Letters go out: who writes them, and each one marked as sent, kept as it was."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.services import record
from partners.accounts.roles import Permission
from portal.approvals.errors import NoticeNotDue, NoticeRefused, NoticeSent, NoticeSettingsRefused
from portal.approvals.letters import LANGUAGES, letter_of, letter_pdf, settings_in_force
from portal.approvals.models import Notice, NoticeSettings
from portal.approvals.people import acting_person
from portal.approvals.sealed import SentLetter, seal_letter
from portal.approvals.services.moves import locked
from portal.approvals.transitions import TOLD
from scoring.engine.contract import DefinitionRefused
from scoring.engine.texts import check_template, check_texts

_LOCK = "approvals.notice_settings"
_LONGEST = {"sender": 200, "address": 500, "email": 254, "phone": 60, "authority": 500}
_OPTIONAL = frozenset({"phone"})
_CODE = re.compile(r"[a-z0-9_]{1,120}(\.[a-z]{1,10})?")
_MOST_TEXTS = 200


@transaction.atomic
def change_notice_settings(
    *, said: Mapping[str, str], reason_texts: Mapping[str, Mapping[str, str]], actor: Actor
) -> NoticeSettings:
    """The next version is in force, whole. `said`: sender, address, email, phone, authority.

    Raises NoticeSettingsRefused with every fault."""
    said = {name: said.get(name, "").replace("\r\n", "\n").strip() for name in _LONGEST}
    faults = _faults(said) | _faults_of_texts(reason_texts)
    if faults:
        raise NoticeSettingsRefused(fields=faults)
    with connection.cursor() as cursor:    # two who save at once get two versions
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(current_schema()))", [_LOCK])
    before = settings_in_force()
    version = 1 if before is None else before.version + 1
    texts = {code: dict(one) for code, one in reason_texts.items()}
    made = NoticeSettings.objects.create(version=version, reason_texts=texts, created_by=actor.label[:200], **said)
    detail = {"version": version, **said, "reasons": sorted(texts)}
    record(action=Action.NOTICE_SETTINGS_CHANGED, actor=actor, object_kind="notice_settings", object_id=made.id, detail=detail)
    return made


@transaction.atomic
def send_notice(
    *, application_id: uuid.UUID, way: str, language: str | None, actor: Actor, revision: int | None = None
) -> Notice:
    """The letter is marked as sent, and kept sealed as it went out; the clock stops.

    Raises NoticeRefused, NoticeSent, what `letter_of` does, PersonNeeded, ApplicationUnknown and ApplicationChanged."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    if way not in Notice.Way.values:
        raise NoticeRefused(fields={"way": "Say how it went out."})
    application = locked(application_id, revision=revision)
    if application.state not in TOLD or application.decided_at is None:
        raise NoticeNotDue
    if application.notice_sent_at is not None:
        raise NoticeSent
    settings, letter = settings_in_force(), letter_of(application, language=language)
    assert settings is not None
    now, notice_id = datetime.now(UTC), uuid7()
    sealed = seal_letter(application, notice_id, SentLetter(letter=msgspec.to_builtins(letter), pdf=letter_pdf(letter)))
    try:
        with transaction.atomic():
            made = Notice.objects.create(
                id=notice_id, application=application, decided_at=application.decided_at, language=letter.language,
                settings_used=settings, sealed_letter=sealed, way=way, sent_by=person, sent_at=now,
            )  # fmt: skip
    except IntegrityError as twice:
        raise NoticeSent from twice
    application.notice_sent_at = now
    application.save(update_fields=["notice_sent_at"])
    detail = {"notice": str(made.id), "way": way, "language": letter.language, "settings": settings.version, "decision": application.state}
    record(action=Action.NOTICE_SENT, actor=actor, object_kind="application", object_id=application.id, detail=detail)
    return made


def _faults(said: Mapping[str, str]) -> dict[str, str]:
    faults = {}
    for name, longest in _LONGEST.items():
        if not said[name] and name not in _OPTIONAL:
            faults[name] = "Fill this in: every letter says it."
        elif len(said[name]) > longest or "\0" in said[name]:
            faults[name] = f"Write at most {longest} characters."
    if said["email"] and "email" not in faults:
        try:
            validate_email(said["email"])
        except ValidationError:
            faults["email"] = "Write an address such as ask@example.org."
    return faults


def _faults_of_texts(reason_texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    if len(reason_texts) > _MOST_TEXTS:
        return {"reason_texts": f"Keep at most {_MOST_TEXTS} reasons."}
    for code, texts in reason_texts.items():
        if not _CODE.fullmatch(code):
            return {"reason_texts": f"{code!r} is no code of a reason: take one from a decision, such as months_trading.low."}
        try:
            check_texts({one: text for one, text in texts.items() if one in LANGUAGES}, check_template)
        except DefinitionRefused as refusal:
            return {"reason_texts": f"{code}: {refusal}"}
    return {}
