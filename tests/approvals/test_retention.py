"""Retention against the database: what is due goes once, by two people, whoever dies; what is held or inside its period stays."""

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from audit.actions import Action
from audit.context import SYSTEM
from audit.errors import HoldRefused, ReceiptRefused, RetentionConflict, RetentionRefused, SecondPersonNeeded
from audit.holds import answer_lift, ask_lift, place_hold, refusal
from audit.models import Event, Gone, Hold, Outbox, RetentionPolicy, RetentionRun
from audit.privacy import requests
from audit.privacy.holders import keeper
from audit.privacy.ledger import erased_under, replay_erasures
from audit.privacy.ledger import path_of as ledger_of
from audit.retention.rules import Why
from audit.retention.runs import is_waiting, signed_certificate, verify_certificate, work_on_run
from audit.retention.services import answer_run, change_policy, preview, propose_run, remove_policy
from audit.vault import keyring
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.files import add_file, path_of
from portal.approvals.transitions import State
from portal.waiting import wait_until
from scoring.models import Applicant, Batch, Outcome
from scoring.models.outcome import OutcomeSource
from scoring.services.outcomes import Observed, record_outcomes
from tests.approvals.factories import REFERS, acting, add_product, receive
from tests.conftest import ROOT, House, address_of
from tests.scoring.factories import SLUG, a_batch, by_force

Partners = Callable[..., House]
NOW = datetime.now(UTC)
LONG_AGO, LATELY = NOW - timedelta(days=8 * 366), NOW - timedelta(days=300)


@pytest.fixture
def shop(new_partner: Partners) -> Iterator[House]:
    """A partner of its own with a product, whose rows are really committed."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product(REFERS)
        yield house


def declined(at: datetime, *, told: bool = True) -> Application:
    """An application that was made, declined and told then."""
    one = receive()
    Application.objects.filter(id=one.id).update(
        created_at=at, decided_at=at, state=State.DECLINED, notice_sent_at=at if told else None
    )
    one.refresh_from_db()
    return one


def confirmed(house: House) -> RetentionRun:
    run = propose_run(actor=acting(house, "compliance"))
    return answer_run(number=run.number, agrees=True, actor=acting(house, "admin"))


def known(found: uuid.UUID | None) -> uuid.UUID:
    assert found is not None
    return found


def is_erased(one: Application) -> bool:
    return Applicant.objects.get(applications=one).is_erased


def counts_of(name: str) -> dict[str, int]:
    return next(dict(one.counts) for one in preview() if one.kind.name == name)


def test_a_new_partner_has_rules_with_their_citations(shop: House) -> None:
    found = {(one.record_class, one.trigger): (one.period, one.unit) for one in RetentionPolicy.objects.all()}

    assert found["applicant", "notice"] == (25, "months")
    assert found["applicant", "closure"] == (5, "years")
    assert found["applicant", "application"] == (7, "years")
    assert all(one.citation for one in RetentionPolicy.objects.all())


def test_a_trial_says_what_would_go_and_changes_nothing(shop: House) -> None:
    declined(LONG_AGO), declined(LATELY), declined(LONG_AGO, told=False), receive()
    events = Event.objects.count()

    assert counts_of("applicant") == {Why.DUE: 1, Why.INSIDE: 1, Why.WAITING: 2}
    assert (Event.objects.count(), Applicant.objects.filter(wrapped_key=None).count()) == (events, 0)


def test_a_run_lets_go_of_what_is_due_and_of_nothing_else(shop: House) -> None:
    old, new, untold, held = declined(LONG_AGO), declined(LATELY), declined(LONG_AGO, told=False), declined(LONG_AGO)
    file = add_file(application_id=old.id, name="slip.txt", content=b"pay", actor=acting(shop, "officer"))
    kept = add_file(application_id=held.id, name="slip.txt", content=b"pay", actor=acting(shop, "officer"))
    batch = a_batch(SLUG, "reference\nA\n", name="amina.csv")
    Batch.objects.filter(id=batch.id).update(created_at=LONG_AGO)
    said = Outbox.objects.create(topic="x", object_id="1", delivered_at=NOW)
    Outbox.objects.filter(id=said.id).update(created_at=LONG_AGO)
    hold = place_hold(kind="decision", object_id=known(held.decision_id), reason="Case 17", until=None, actor=acting(shop, "compliance"))

    run = confirmed(shop)
    assert is_waiting()
    assert work_on_run()

    run.refresh_from_db()
    assert run.state == RetentionRun.State.DONE
    assert [is_erased(one) for one in (old, new, untold, held)] == [True, False, False, False]
    assert (path_of(file.id).exists(), path_of(kept.id).exists()) == (False, True)
    assert Batch.objects.get(id=batch.id).name == "—"
    assert not Outbox.objects.filter(id=said.id).exists()
    assert {(one.record_class, one.object_id) for one in Gone.objects.all()} == {
        ("applicant", str(old.applicant_id)), ("file", str(file.id)), ("batch", str(batch.id)), ("announcement", str(said.id)),
    }  # fmt: skip
    assert Event.objects.filter(action=Action.APPLICANT_ERASED, object_id=str(old.applicant_id)).count() == 1
    assert not work_on_run()
    assert Hold.objects.get(id=hold.id).lifted_at is None


def test_whom_a_run_erased_a_restored_backup_does_not_bring_back(shop: House) -> None:
    one = declined(LONG_AGO)
    columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
    before = Applicant.objects.filter(id=known(one.applicant_id)).values(*columns).get()
    confirmed(shop)
    work_on_run()
    tombstone = Event.objects.get(action=Action.APPLICANT_ERASED)
    line = json.loads(ledger_of(shop.schema).read_text())

    Applicant.objects.filter(id=known(one.applicant_id)).update(**before)    # what a restore of an older dump does
    by_force(shop, "audit_erasure", "DELETE FROM audit_erasure")
    replayed = replay_erasures()

    assert tombstone.detail["run"] == 1
    assert (line["applicant_id"], line["run"]) == (str(one.applicant_id), "1")
    assert (replayed.known, replayed.again, replayed.refused) == (1, 1, 0)
    assert is_erased(one)
    assert {str(under) for under in erased_under({known(one.applicant_id)}).values()} == {"retention run 1"}
    ledger_of(shop.schema).write_text(json.dumps({**line, "run": "2"}) + "\n")
    assert replay_erasures().refused == 1


def test_the_rule_says_what_is_done(shop: House) -> None:
    batch, compliance = a_batch(SLUG, "reference\nA\n", name="amina.csv"), acting(shop, "compliance")
    Batch.objects.filter(id=batch.id).update(created_at=LONG_AGO)
    rule = {"record_class": "batch", "trigger": "made", "period": 1, "unit": "years", "citation": "ours"}
    with pytest.raises(RetentionRefused) as refused:
        change_policy(**rule, action="erase", actor=compliance)  # type: ignore[arg-type]
    change_policy(**rule, action="delete", actor=compliance)  # type: ignore[arg-type]
    run = confirmed(shop)
    work_on_run()

    run.refresh_from_db()
    assert set(refused.value.fields) == {"action"}
    assert not Batch.objects.filter(id=batch.id).exists()
    assert json.loads(run.certificate)["how"]["batch"] == "delete"


def test_whoever_waits_for_an_answer_about_their_data_stays_until_they_have_it(shop: House) -> None:
    one = declined(LONG_AGO)
    today, officer = datetime.now(UTC).date(), acting(shop, "compliance")
    reference = keeper().subject(known(one.applicant_id))
    assert reference is not None
    request = requests.open_request(kind="access", reference=reference.reference, received_on=today, actor=officer)
    assert counts_of("applicant") == {Why.WAITING: 1}

    requests.withdraw_request(number=request.number, actor=officer)

    assert counts_of("applicant") == {Why.DUE: 1}


def test_the_certificate_says_what_went_and_a_changed_one_is_refused(shop: House) -> None:
    declined(LONG_AGO)
    confirmed(shop)
    work_on_run()
    signed, keys = signed_certificate(RetentionRun.objects.get()), keyring().public_keys()

    said = verify_certificate(signed, public_keys=keys)

    assert (said["gone"], said["run"], said["partner"]) == ({"applicant": 1}, 1, shop.schema)
    assert said["proposed_by"] != said["confirmed_by"]
    with pytest.raises(ReceiptRefused):
        verify_certificate(signed.replace(b'\\"applicant\\":1', b'\\"applicant\\":0'), public_keys=keys)


def test_one_person_alone_runs_nothing(shop: House) -> None:
    old = declined(LONG_AGO)
    run = propose_run(actor=acting(shop, "compliance"))

    with pytest.raises(SecondPersonNeeded):
        answer_run(number=run.number, agrees=True, actor=acting(shop, "compliance"))
    with pytest.raises(SecondPersonNeeded):
        answer_run(number=run.number, agrees=True, actor=SYSTEM)
    assert not work_on_run()
    assert not is_erased(old)
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRun.objects.update(state="confirmed", answered_by_id=run.proposed_by_id)


def test_a_hold_between_the_agreement_and_the_run_is_kept(shop: House) -> None:
    old, other = declined(LONG_AGO), declined(LONG_AGO)
    confirmed(shop)
    place_hold(kind="application", object_id=old.id, reason="Case 18", until=None, actor=acting(shop, "compliance"))

    work_on_run()

    assert (is_erased(old), is_erased(other)) == (False, True)


def test_changed_rules_outdate_a_proposal_and_wait_for_a_run(shop: House) -> None:
    declined(LONG_AGO)
    compliance = acting(shop, "compliance")
    run = propose_run(actor=compliance)
    change_policy(record_class="applicant", trigger="notice", period=30, unit="months", citation="ours", actor=compliance)

    with pytest.raises(RetentionConflict, match="rules have changed"):
        answer_run(number=run.number, agrees=True, actor=acting(shop, "admin"))
    confirmed(shop)
    with pytest.raises(RetentionConflict, match="under way"):
        remove_policy(record_class="applicant", trigger="notice", actor=compliance)
    assert RetentionRun.objects.get(number=run.number).state == RetentionRun.State.OUTDATED


def test_rules_that_cannot_be_kept_are_refused_with_every_fault(shop: House) -> None:
    with pytest.raises(RetentionRefused) as refused:
        change_policy(record_class="batch", trigger="notice", period=0, unit="weeks", citation=" ", actor=acting(shop, "compliance"))
    assert set(refused.value.fields) == {"trigger", "unit", "citation"}
    with pytest.raises(RetentionConflict, match="Nothing is due"):
        propose_run(actor=acting(shop, "compliance"))


def test_two_people_lift_a_hold(shop: House) -> None:
    one = declined(LONG_AGO)
    compliance, admin = acting(shop, "compliance"), acting(shop, "admin")
    hold = place_hold(kind="applicant", object_id=known(one.applicant_id), reason="Case 19", until=None, actor=compliance)

    with pytest.raises(RetentionConflict):
        answer_lift(hold_id=hold.id, agrees=True, actor=admin)
    ask_lift(hold_id=hold.id, reason="It is over", actor=compliance)
    with pytest.raises(SecondPersonNeeded):
        answer_lift(hold_id=hold.id, agrees=True, actor=compliance)
    answer_lift(hold_id=hold.id, agrees=False, actor=admin)
    assert counts_of("applicant") == {Why.HELD: 1}
    ask_lift(hold_id=hold.id, reason="It is over now", actor=admin)
    answer_lift(hold_id=hold.id, agrees=True, actor=compliance)

    assert counts_of("applicant") == {Why.DUE: 1}
    found = Event.objects.filter(object_kind="hold").order_by("id").values_list("action", flat=True)
    assert list(found) == ["hold.placed", "hold.lift_asked", "hold.lift_refused", "hold.lift_asked", "hold.lifted"]


def test_a_hold_on_nothing_or_on_a_day_that_is_over_is_refused(shop: House) -> None:
    with pytest.raises(HoldRefused) as refused:
        place_hold(kind="application", object_id=uuid.uuid4(), reason="", until=NOW.date() - timedelta(days=2), actor=SYSTEM)

    assert set(refused.value.fields) == {"object_id", "reason", "until"}


def test_an_erasure_is_told_which_rule_and_day_forbids_it(shop: House) -> None:
    new, old, held = declined(LATELY), declined(LONG_AGO), declined(LONG_AGO)
    place_hold(kind="application", object_id=held.id, reason="Case 20", until=None, actor=acting(shop, "compliance"))

    found = refusal(known(new.applicant_id))

    assert found is not None
    assert "seven years" in found.rule
    assert found.until is not None
    assert found.until.year == LATELY.year + 7
    assert refusal(known(old.applicant_id)) is None
    stands = refusal(known(held.applicant_id))
    assert stands is not None
    assert stands.rule == "Legal hold: Case 20"


def test_an_account_counts_from_its_end_and_while_none_is_known_it_stays(shop: House) -> None:
    one = declined(LONG_AGO)
    Application.objects.filter(id=one.id).update(state=State.APPROVED)
    assert counts_of("applicant") == {Why.WAITING: 1}

    record_outcomes(items=[Observed("repaid", NOW.date(), one.decision_id)], source=OutcomeSource.API, actor=SYSTEM)

    assert counts_of("applicant") == {Why.INSIDE: 1}


@contextmanager
def worker(house: House) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works on the run, one record in each commit."""
    program = (
        "import django; django.setup()\n"
        "from audit.retention import runs, services\n"
        "from partners.tenancy import tenant_context\n"
        "services.AT_ONCE = 1\n"
        f"with tenant_context({house.schema!r}): runs.work_on_run()\n"
    )
    environment = {
        **os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"]), "DJANGO_SETTINGS_MODULE": "tests.settings",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


@dataclass(frozen=True)
class Life:
    """One applicant's history: the days since they applied, how it stands, whether they were told, since when an account is closed."""

    days: int
    state: str
    is_told: bool
    closed_days: int | None
    is_held: bool

    @classmethod
    def drawn(cls, draw: random.Random) -> "Life":
        days = draw.choice([100, 600, 1_000, 1_500, 2_000, 2_400, 2_700, 3_000, 3_300])    # none near the end of a period
        state = draw.choice([State.DECLINED, State.DECLINED, State.WITHDRAWN, State.APPROVED, State.IN_REVIEW])
        closed = draw.choice([None, 100, 1_500, 2_000]) if state == State.APPROVED else None
        return cls(days, state, draw.random() < 0.8, closed, draw.random() < 0.2)

    @property
    def must_stay(self) -> bool:
        """A plain reading of the default rules: 25 months after the notice, five years after closure, seven after the application."""
        if self.is_held or self.state == State.IN_REVIEW or self.days < 7 * 365.25:
            return True
        if self.state == State.DECLINED:
            return not self.is_told
        return self.state == State.APPROVED and (self.closed_days is None or self.closed_days < 5 * 365.25)


def lived(life: Life, house: House) -> uuid.UUID:
    """The applicant with this history."""
    one, at = receive(), NOW - timedelta(days=life.days)
    told = at if life.is_told and life.state == State.DECLINED else None
    Application.objects.filter(id=one.id).update(
        created_at=at, decided_at=None if life.state == State.IN_REVIEW else at, state=life.state, notice_sent_at=told
    )
    if life.closed_days is not None:
        observed = (NOW - timedelta(days=life.closed_days)).date()
        Outcome.objects.create(decision_id=known(one.decision_id), kind="repaid", value=0, observed_on=observed, source="api")
    if life.is_held:
        place_hold(kind="application", object_id=one.id, reason="Case 21", until=None, actor=acting(house, "compliance"))
    return known(one.applicant_id)


def test_random_lives_killed_twice_and_run_again_go_exactly_once_and_as_the_rules_read(shop: House) -> None:
    draw = random.Random(22)
    lives = {lived(life, shop): life for life in (Life.drawn(draw) for _ in range(150))}
    due = {str(one) for one, life in lives.items() if not life.must_stay}
    assert 15 < len(due) < 135    # the lives are about something
    run = confirmed(shop)

    for _ in range(2):
        before = Gone.objects.count()
        with worker(shop) as process:
            assert wait_until(lambda: Gone.objects.count() > before + 2 or process.poll() is not None, 60)    # noqa: B023 - called here
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        assert before < Gone.objects.count() < len(due)
        assert not work_on_run(), "the dead worker's lease still lasts"
        RetentionRun.objects.update(lease_until=NOW)
    assert work_on_run()

    run.refresh_from_db()
    assert {one.object_id for one in Gone.objects.all()} == due
    assert Gone.objects.count() == len(due)
    assert {str(one) for one in Applicant.objects.filter(wrapped_key=None).values_list("id", flat=True)} == due
    assert Event.objects.filter(action=Action.APPLICANT_ERASED).count() == len(due)
    assert len(ledger_of(shop.schema).read_text().splitlines()) == len(due)
    assert verify_certificate(signed_certificate(run), public_keys=keyring().public_keys())["gone"] == {"applicant": len(due)}
    with pytest.raises(RetentionConflict, match="Nothing is due"):
        propose_run(actor=acting(shop, "compliance"))
