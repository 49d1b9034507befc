"""Requests of applicants: due days, steps with evidence, two people for an erasure, and certificates that anybody can check."""

import json
import uuid
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.utils import timezone

from audit import holds
from audit.actions import Action
from audit.context import Actor
from audit.models import Erasure, Event, Idempotency, PrivacyRequest, RetentionPolicy
from audit.privacy import requests
from audit.privacy.certificates import is_genuine
from audit.privacy.errors import ErasureRefused, PrivacyRequestRefused, PrivacyStepRefused, SecondPersonMissing
from audit.privacy.ledger import path_of, replay_erasures
from audit.privacy.models import RequestState
from audit.retention.rules import Why
from audit.sealer import seal
from audit.services import Attempt
from audit.vault import broken, keyring
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.files import add_file
from portal.approvals.services.files import path_of as place_of_file
from scoring import applicants, selectors
from scoring.errors import ApplicantErased
from scoring.models import Applicant, Channel, Decision
from scoring.services.replay import replay_decisions
from scoring.services.score import score_applicants, score_once
from tests.approvals import factories
from tests.conftest import House
from tests.scoring.factories import PERSON, SLUG, an_item, by_force, by_key

TODAY = timezone.now().date()
Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> House:
    """A partner with a declined application of Amina's, a decision of somebody else, and an answer kept for a repeat."""
    house = new_partner()
    with tenant_context(house.partner):
        factories.add_product(factories.DECLINES)
        RetentionPolicy.objects.all().delete()    # no period stands against an erasure
        factories.receive(factories.asked(reference=PERSON.reference, name=PERSON.name))
        attempt = Attempt.of(route="scores", key="k-1", actor=by_key(), body=b"{}")
        score_once(
            attempt=attempt, render=lambda made: b'{"reference":"A-1"}', product_slug=SLUG, items=[an_item(applicant=PERSON)],
            actor=by_key(), channel=Channel.API,
        )  # fmt: skip
        score_applicants(product_slug=SLUG, items=[an_item("B-2")], actor=by_key(), channel=Channel.API)
    return house


def asks(house: House, kind: str, reference: str = "A-1", **more: object) -> PrivacyRequest:
    return requests.open_request(
        kind=kind, reference=reference, received_on=TODAY, actor=factories.acting(house, "compliance"),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def officers(house: House) -> tuple[Actor, Actor]:
    return factories.acting(house, "compliance"), factories.acting(house, "admin")


def erased(house: House, reference: str = "A-1") -> PrivacyRequest:
    """The request under which two people erased somebody."""
    first, second = officers(house)
    number = asks(house, "erasure", reference).number
    requests.propose_erasure(number=number, actor=first)
    return requests.confirm_erasure(number=number, actor=second)


def test_requests_are_numbered_and_due_as_the_terms_say(house: House) -> None:
    with tenant_context(house.partner):
        first = asks(house, "access")
        requests.change_terms(days={**requests.terms_in_force(), "access": 10}, actor=officers(house)[0])
        second = asks(house, "access")

        assert [one.number for one in (first, second)] == [1, 2]
        assert [one.due_on - TODAY for one in (first, second)] == [timedelta(days=30), timedelta(days=10)]
        assert Event.objects.filter(action=Action.PRIVACY_REQUEST_OPENED).count() == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "nonsense"}, "kind"), ({"reference": "nobody"}, "reference"), ({"reference": " "}, "reference"),
        ({"received_on": TODAY + timedelta(days=9)}, "received_on"), ({"received_on": date(2001, 1, 1)}, "received_on"),
        ({"statement": "x" * 4001}, "statement"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_in_is_told_and_leaves_nothing(house: House, change: dict[str, object], field: str) -> None:
    with tenant_context(house.partner):
        asked = {"kind": "access", "reference": "A-1", "received_on": TODAY, "actor": officers(house)[0], **change}
        with pytest.raises(PrivacyRequestRefused) as refusal:
            requests.open_request(**asked)  # type: ignore[arg-type]

        assert set(refusal.value.fields) == {field}
        assert not PrivacyRequest.objects.exists()


def test_a_copy_holds_what_is_held_with_the_logic_of_the_decision(house: House) -> None:
    with tenant_context(house.partner):
        copy = json.loads(json.dumps(requests.copy_of(asks(house, "access", language="fr"))))

        assert copy["applicant"]["phone"] == PERSON.phone
        assert copy["applicant"]["birth_date"] == "1990-02-28"
        assert len(copy["decisions"]) == 2
        logic = copy["decisions"][0]["logic"]
        assert logic["answered_by"] == "rules"
        assert str(copy["decisions"][0]["score"]) in logic["how"][1]
        assert {one["name"] for one in copy["decisions"][0]["inputs"]} >= {"income", "amount"}
        assert copy["applications"][0]["state"] == "declined"


def test_access_is_answered_once_a_copy_was_made(house: House) -> None:
    with tenant_context(house.partner):
        officer, number = officers(house)[0], asks(house, "access").number
        with pytest.raises(PrivacyStepRefused, match="Make the copy"):
            requests.complete_request(number=number, actor=officer)
        requests.record_copy(number=number, form="json", content=b"{}", actor=officer)
        done = requests.complete_request(number=number, actor=officer)

        assert done.state == RequestState.DONE
        assert done.certificate is not None
        assert is_genuine(done.certificate)
        assert [one["name"] for one in done.certificate["certificate"]["steps"]] == ["received", "copied", "closed"]
        done.certificate["certificate"]["outcome"] = "refused"
        assert not is_genuine(done.certificate)
        with pytest.raises(PrivacyStepRefused, match="done"):
            requests.withdraw_request(number=number, actor=officer)


def test_details_are_corrected_and_the_record_says_which_and_not_what(house: House) -> None:
    with tenant_context(house.partner):
        number = asks(house, "rectification").number
        requests.rectify(number=number, changes={"phone": "+254 700 000 111", "name": PERSON.name or ""}, actor=officers(house)[0])

        assert [one.details.phone for one in selectors.find_applicants(phone="0700000111") if one.details] == ["+254 700 000 111"]
        assert selectors.find_applicants(phone=PERSON.phone or "") == []
        event = Event.objects.get(action=Action.APPLICANT_RECTIFIED)
        assert event.detail == {"request": number, "fields": ["phone"]}
        score_applicants(product_slug=SLUG, items=[an_item("A-1")], actor=by_key(), channel=Channel.API)
        found = selectors.applicant("A-1")
        assert found
        assert found.details    # a remembered profile is not written back
        assert found.details.phone == "+254 700 000 111"


def test_an_objection_brings_a_declined_application_before_a_person(house: House) -> None:
    with tenant_context(house.partner):
        application = Application.objects.get()
        request = asks(house, "objection", statement="I repaid everything.", decision_id=application.decision_id)
        told = requests.begin_review(number=request.number, actor=officers(house)[0])

        application.refresh_from_db()
        assert (told, application.state, application.tags) == (application.number, "in_review", ["objection"])
        assert bytes(request.sealed_statement or b"").find(b"repaid") == -1
        assert requests.statement_of(request) == "I repaid everything."
        assert requests.complete_request(number=request.number, actor=officers(house)[0]).state == "done"


def test_an_objection_to_a_decision_without_an_application_makes_one(house: House) -> None:
    with tenant_context(house.partner):
        request = asks(house, "objection", "B-2")
        number = requests.begin_review(number=request.number, actor=officers(house)[0])

        made = Application.objects.get(number=number)
        assert (made.state, made.amount, made.tags) == ("new", "3000.00", ["objection"])


def test_nobody_erases_alone(house: House) -> None:
    with tenant_context(house.partner):
        first, _ = officers(house)
        number = asks(house, "erasure").number
        with pytest.raises(PrivacyStepRefused, match="Propose"):
            requests.confirm_erasure(number=number, actor=first)
        requests.propose_erasure(number=number, actor=first)
        with pytest.raises(SecondPersonMissing):
            requests.confirm_erasure(number=number, actor=first)

        assert not Applicant.objects.filter(wrapped_key=None).exists()


def test_an_erasure_leaves_nothing_to_open_and_every_proof_as_it_was(house: House) -> None:
    with tenant_context(house.partner):
        _, admin = officers(house)
        application = Application.objects.get()
        assert application.applicant_id
        file = add_file(application_id=application.id, name="slip.txt", content=b"Amina earns", actor=admin)
        assert (house.schema, application.applicant_id) in applicants._remembered
        leaves = list(Event.objects.order_by("id").values_list("id", "leaf_hash"))
        seal()

        request = erased(house)

        found = Applicant.objects.get(id=application.applicant_id)
        assert (found.is_erased, found.phone_index, found.name_index, found.sealed_profile) == (True, None, None, None)
        assert not Idempotency.objects.filter(applicant_id=found.id).exists()
        assert not place_of_file(file.id).exists()
        assert (house.schema, application.applicant_id) not in applicants._remembered
        assert selectors.find_applicants(name=PERSON.name or "") == []
        assert list(Event.objects.order_by("id").values_list("id", "leaf_hash"))[: len(leaves)] == leaves
        assert seal() is not None    # the tree goes on over the tombstone
        tombstone = Event.objects.get(action=Action.APPLICANT_ERASED)
        assert tombstone.detail["request"] == request.number
        assert tombstone.detail["files"] == 1
        assert request.certificate
        assert is_genuine(request.certificate)
        with pytest.raises(ApplicantErased):
            score_applicants(product_slug=SLUG, items=[an_item("A-1")], actor=by_key(), channel=Channel.API)
        assert Decision.objects.count() == 3
        broken.clear()


def test_a_replay_says_under_which_request_somebody_was_erased(house: House) -> None:
    with tenant_context(house.partner):
        request = erased(house)
        found = list(replay_decisions())[-1]

        assert found.holds
        assert len(found.erased) == 2
        assert {str(under) for under in found.erased_under.values()} == {f"request {request.number}"}


def test_a_hold_stands_against_an_erasure_with_rule_and_day(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_context(house.partner):
        first, second = officers(house)
        number = asks(house, "erasure").number
        requests.propose_erasure(number=number, actor=first)
        until = date(2031, 5, 1)
        rule = "12 CFR 1002.12(b), 25 months after notification"
        monkeypatch.setattr(holds, "refusal", lambda _one: holds.Refusal(Why.INSIDE, rule, until))
        with pytest.raises(ErasureRefused, match=r"1002\.12\(b\).*until 2031-05-01"):
            requests.confirm_erasure(number=number, actor=second)

        request = requests.request_of(number)
        assert request.state == "proposed"
        assert request.steps.filter(name="stopped").get().detail["until"] == "2031-05-01"
        assert not Applicant.objects.filter(wrapped_key=None).exists()


def test_a_hold_that_comes_while_the_second_person_agrees_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_context(house.partner):
        first, second = officers(house)
        number, amina = asks(house, "erasure").number, keyring().applicant_id("A-1")
        requests.propose_erasure(number=number, actor=first)
        real = holds.refusal

        def placed_after_the_first_look(applicant_id: uuid.UUID) -> holds.Refusal | None:
            monkeypatch.setattr(holds, "refusal", real)
            before = real(applicant_id)
            holds.place_hold(kind="applicant", object_id=applicant_id, reason="Case 9", until=None, actor=first)
            return before

        monkeypatch.setattr(holds, "refusal", placed_after_the_first_look)
        with pytest.raises(ErasureRefused, match="Case 9"):
            requests.confirm_erasure(number=number, actor=second)

        assert not Applicant.objects.get(id=amina).is_erased


COLUMNS = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")


def test_a_restored_backup_does_not_bring_anybody_back(house: House) -> None:
    with tenant_context(house.partner):
        kept = Applicant.objects.get(id=keyring().applicant_id("A-1"))
        before = {name: getattr(kept, name) for name in COLUMNS}
        request = erased(house)
        lines = path_of(house.schema).read_text().splitlines()
        assert [json.loads(line)["applicant_id"] for line in lines] == [str(kept.id)]

        Applicant.objects.filter(id=kept.id).update(**before)    # what a restore of an older dump does
        forget_table(house)
        replayed = replay_erasures()

        assert (replayed.known, replayed.again, replayed.refused) == (1, 1, 0)
        assert Applicant.objects.get(id=kept.id).is_erased
        assert Erasure.objects.get().request_number == request.number
        again = replay_erasures()
        assert (again.known, again.again) == (1, 0)
        assert path_of(house.schema).read_text().splitlines() == lines


def test_a_line_that_somebody_else_wrote_erases_nobody_and_raises_an_alert(house: House) -> None:
    with tenant_context(house.partner):
        erased(house)
        other = keyring().applicant_id("B-2")
        place = path_of(house.schema)
        line = json.loads(place.read_text())
        place.write_text(place.read_text() + json.dumps({**line, "applicant_id": str(other)}) + "\n")

        replayed = replay_erasures()

        assert (replayed.known, replayed.refused) == (1, 1)
        assert not Applicant.objects.get(id=other).is_erased
        assert Event.objects.get(action=Action.ALERT_RAISED).detail["kind"] == "ledger_broken"


def forget_table(house: House) -> None:
    """The table of erasures as the older dump had it: empty."""
    by_force(house, "audit_erasure", "DELETE FROM audit_erasure")
