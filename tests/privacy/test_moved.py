"""What is sealed opens in its own row, column and partner only; anywhere else it is refused and raises an alert. Every sealed column."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models
from django.utils import timezone

from audit import vault
from audit.alerts import raise_noted
from audit.context import SYSTEM
from audit.errors import RootKeyWrong, SealBroken
from audit.ids import uuid7
from audit.models import Alert, Idempotency, Keyring, PrivacyRequest
from audit.privacy import requests
from audit.services import Attempt, keep_answer, stored_answer
from audit.vault import keyring, opened
from partners.accounts.errors import CodeRefused
from partners.accounts.models import User
from partners.accounts.second_factor import check_code, factors_of, make_recovery_codes
from partners.tenancy import public_context, tenant_context
from partners.webhooks.models import Endpoint
from partners.webhooks.services import create_endpoint, rotate_secret, secrets_of
from portal.approvals.models import Application, ApplicationFile, Note, Notice, Review, SecondOpinion
from portal.approvals.sealed import Request, SentLetter, open_letter, open_request, open_text, seal_letter, seal_request, seal_text
from portal.approvals.services.files import add_file, name_of, path_of, read_file
from portal.exports.models import Export, Schedule
from portal.exports.services.asking import ask_export, filters_of, schedule_export
from scoring.applicants import ApplicantDetails, key_of, open_profile
from scoring.models import Applicant, Batch, Decision, JobChunk
from scoring.sealed import open_content
from scoring.services import batches, jobs
from tests.approvals import factories
from tests.conftest import House
from tests.exports.factories import wanted
from tests.scoring.factories import SLUG, a_batch

Partners = Callable[..., House]
Opener = Callable[[Any, bytes], object]
Place = tuple[type[models.Model], str]


@dataclass(frozen=True)
class Sealed:
    """Two sealed values of one column, as they stand in two rows, and how the product opens what stands in the first."""

    one: bytes
    other: bytes
    opened: Callable[[bytes], object]


def put(row: Any, column: str, opens: Callable[[Any], object]) -> Callable[[bytes], object]:
    """Opens the row as if this stood in its column."""

    def opener(value: bytes) -> object:
        setattr(row, column, value)
        return opens(row)

    return opener


def pair(rows: list[Any], column: str, opens: Callable[[Any], object]) -> Sealed:
    one, other = rows
    return Sealed(bytes(getattr(one, column)), bytes(getattr(other, column)), put(one, column, opens))


@pytest.fixture
def house(new_partner: Partners) -> Iterator[House]:
    vault.broken.clear()
    house = new_partner()
    with tenant_context(house.partner):
        factories.add_product()
        yield house
    vault.broken.clear()


def every_sealed(house: House) -> Mapping[Place, Sealed]:
    """Two rows of each kind, about one applicant where it is the applicant's key that seals."""
    person, admin = factories.asked(reference="A-1", name="Amina Odhiambo"), factories.acting(house, "admin")
    first, second = factories.receive(person), factories.receive(person)
    factories.receive(factories.asked(reference="B-2", name="Zuri Ali"))
    applicants = list(Applicant.objects.order_by("id"))
    ring, key = keyring(), key_of(keyring(), first.applicant or applicants[0])
    assert key is not None
    today = timezone.now().date()
    said = {"reference": "A-1", "received_on": today, "statement": "I ask.", "actor": admin}
    asking = [requests.open_request(kind=kind, **said) for kind in ("access", "objection")]  # type: ignore[arg-type]
    endpoints = [create_endpoint(url=f"https://h{one}.example.com/", event_types=["decision.made"], actor=SYSTEM) for one in range(2)]
    endpoints = [rotate_secret(endpoint_id=one.endpoint.id, actor=SYSTEM) for one in endpoints]
    exports = [ask_export(asked=wanted(filters={"outcome": one}), actor=admin) for one in ("approve", "decline")]
    schedules = [schedule_export(asked=wanted(filters={"outcome": one}), every="day", actor=admin) for one in ("approve", "decline")]
    attempts = [Attempt.of(route="r", key=one, actor=admin, body=b"{}") for one in ("k1", "k2")]
    for one in attempts:
        keep_answer(one, status=201, body=b"{}")
    files = [add_file(application_id=first.id, name=f"{one}.txt", content=b"pay", actor=admin) for one in range(2)]
    tables = [a_batch(SLUG, "reference\nA\n") for _ in range(2)]
    for batch in tables:
        batch.sealed_findings = batches._seal(batch, batches.Findings([], []))
    chunks = [JobChunk(job_id=uuid7(), number=number) for number in range(2)]
    for chunk in chunks:
        chunk.sealed_input = jobs._seal([1], chunk.job_id, chunk.number, "sealed_input")
        chunk.sealed_result = jobs._seal([1], chunk.job_id, chunk.number, "sealed_result")
    applications = [first, second]
    for application in applications:
        asked = Request(applicant=ApplicantDetails(reference="A-1"), values={}, language="en")
        application.sealed_request = seal_request(application.id, asked)
    letters = [Notice(id=uuid7()) for _ in range(2)]
    for letter in letters:
        letter.sealed_letter = seal_letter(first, letter.id, SentLetter(letter={}, pdf=b"%PDF"))

    def texts(kind: type[Note | Review | SecondOpinion], column: str) -> Sealed:
        ids = [uuid7(), uuid7()]
        rows = [kind(**{"id": one, column: seal_text(first, kind, one, "said")}) for one in ids]
        return pair(rows, column, lambda row: open_text(first, row))

    def answered(row: Idempotency) -> object:
        Idempotency.objects.filter(id=row.id).update(sealed_response=row.sealed_response)
        return stored_answer(attempts[0])

    def chunk_opens(column: str) -> Callable[[JobChunk], object]:
        return lambda row: jobs._open(ring, getattr(row, column), row.job_id, row.number, column, list)

    return {
        (Applicant, "wrapped_key"): pair(applicants, "wrapped_key", lambda row: key_of(ring, row)),
        (Applicant, "sealed_profile"): pair(
            sorted(applicants, key=lambda row: row != first.applicant), "sealed_profile",
            lambda row: open_profile(ring, key, row.id, row.sealed_profile),
        ),
        (Decision, "sealed"): pair(
            list(Decision.objects.filter(applicant=first.applicant)), "sealed", lambda row: open_content(ring, key, row)
        ),
        (Batch, "sealed_findings"): pair(tables, "sealed_findings", batches.findings),
        (Batch, "sealed_name"): pair(tables, "sealed_name", lambda row: row.name),
        (JobChunk, "sealed_input"): pair(chunks, "sealed_input", chunk_opens("sealed_input")),
        (JobChunk, "sealed_result"): pair(chunks, "sealed_result", chunk_opens("sealed_result")),
        (Idempotency, "sealed_response"): pair(list(Idempotency.objects.filter(route="r").order_by("key")), "sealed_response", answered),
        (PrivacyRequest, "sealed_statement"): pair(asking, "sealed_statement", requests.statement_of),
        (Endpoint, "sealed_secret"): pair([one.endpoint for one in endpoints], "sealed_secret", secrets_of),
        (Endpoint, "sealed_previous"): pair(list(Endpoint.objects.order_by("id")), "sealed_previous", secrets_of),
        (Export, "sealed_filters"): pair(exports, "sealed_filters", filters_of),
        (Schedule, "sealed_filters"): pair(schedules, "sealed_filters", filters_of),
        (Application, "sealed_request"): pair(applications, "sealed_request", open_request),
        (ApplicationFile, "sealed_name"): pair(files, "sealed_name", name_of),
        (Notice, "sealed_letter"): pair(letters, "sealed_letter", lambda row: open_letter(first, row)),
        (Note, "sealed_text"): texts(Note, "sealed_text"),
        (Review, "sealed_note"): texts(Review, "sealed_note"),
        (SecondOpinion, "sealed_note"): texts(SecondOpinion, "sealed_note"),
    }


def sealed_columns() -> set[Place]:
    """Every column of ours that holds something sealed, by its name."""
    return {
        (model, field.name)
        for model in apps.get_models() for field in model._meta.local_fields
        if isinstance(field, models.BinaryField) and (field.name.startswith("sealed") or field.name == "wrapped_key")
    }  # fmt: skip


def test_what_was_moved_to_another_row_or_column_is_refused_and_alerts(house: House) -> None:
    sealed = every_sealed(house)
    assert set(sealed) == sealed_columns()    # a new one belongs into the table above

    moved = 0
    for place, target in sealed.items():
        target.opened(target.one)    # in its own place it opens
        for source_place, source in sealed.items():
            for value in (source.one, source.other):
                if source_place == place and value == source.one:
                    continue
                before = len(vault.broken)
                with pytest.raises(SealBroken):
                    target.opened(value)
                assert len(vault.broken) == before + 1, place
                moved += 1
        target.opened(target.one)
        alerts = Alert.objects.count()
        assert raise_noted() >= 1
        assert Alert.objects.count() > alerts, place
    assert moved == len(sealed) * (2 * len(sealed) - 1)


def test_what_another_partner_sealed_is_refused(house: House, new_partner: Partners) -> None:
    ring, place = keyring(), {"table": "t", "column": "c", "owner": "o"}
    sealed, keys = ring.seal(ring.partner_key, b"x", **place), list(Keyring.objects.all())
    with public_context():
        other = new_partner()
    with tenant_context(other.partner), pytest.raises(SealBroken):
        keyring().unseal(keyring().partner_key, sealed, **place)
    with pytest.raises(SealBroken):    # even with the key: it says whose it is
        replace(ring, schema=other.schema).unseal(ring.partner_key, sealed, **place)
    with pytest.raises(RootKeyWrong):    # whole rows of keys in another partner's schema
        opened(other.schema, keys)


def test_a_file_that_was_moved_on_the_disk_is_refused_and_alerts(house: House) -> None:
    admin, one = factories.acting(house, "admin"), factories.receive()
    mine, other = [add_file(application_id=one.id, name=f"{name}.txt", content=b"pay", actor=admin) for name in ("a", "b")]
    path_of(mine.id).write_bytes(path_of(other.id).read_bytes())

    with pytest.raises(SealBroken):
        read_file(application_id=one.id, file_id=mine.id, actor=admin)

    assert raise_noted() == 1
    assert Alert.objects.get().object_id == str(mine.id)


def test_a_second_factor_that_was_moved_to_somebody_else_opens_nothing(house: House) -> None:
    admin, officer = (User.objects.get(id=house.users[role].id) for role in ("admin", "officer"))
    for one in (admin, officer):
        Authenticator.objects.create(user=one, type=Authenticator.Type.TOTP, data={"secret": ""})
    codes = make_recovery_codes(user=officer, actor=SYSTEM)
    make_recovery_codes(user=admin, actor=SYSTEM)
    kind = Authenticator.Type.RECOVERY_CODES
    assert factors_of(officer).codes_left == len(codes)
    theirs = Authenticator.objects.get(user=officer, type=kind).data
    Authenticator.objects.filter(user=admin, type=kind).update(data=theirs)
    Authenticator.objects.filter(type=Authenticator.Type.TOTP).delete()

    with pytest.raises((SealBroken, CodeRefused)):
        check_code(user=admin, code=codes[0], actor=SYSTEM)

    assert raise_noted() == 1
