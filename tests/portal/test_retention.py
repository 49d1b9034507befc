"""Retention and the compliance report as people and programs meet them."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from audit.actions import Action
from audit.alerts import raise_alert
from audit.context import SYSTEM
from audit.holds import place_hold
from audit.models import Event, Hold, RetentionPolicy, RetentionRun
from audit.privacy.requests import open_request, withdraw_request
from audit.retention.runs import verify_certificate, work_on_run
from audit.retention.services import answer_run, propose_run
from audit.sealer import seal
from audit.selectors import newest_checkpoint
from audit.vault import keyring
from audit.verification import ask_verification, record_verification, work_on_verification
from audit.verify import Wrong
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.selectors import reference_of
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.moves import Why
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.transitions import MoveName, State
from portal.compliance.report import Period, compliance_report
from scoring import selectors
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.models import Decision, Product
from scoring.services.policies import change_policy
from tests.approvals.factories import APPROVES, DECLINES, REFERS, acting, add_product, receive
from tests.conftest import House
from tests.scoring.factories import SLUG

LONG_AGO = datetime.now(UTC) - timedelta(days=8 * 366)


@pytest.fixture
def shop(new_partner: Callable[..., House]) -> House:
    """A partner of its own with one application that was declined and told eight years ago."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product(DECLINES)
        one = receive()
        Application.objects.filter(id=one.id).update(
            created_at=LONG_AGO, decided_at=LONG_AGO, state=State.DECLINED, notice_sent_at=LONG_AGO
        )
    return house


def program(house: House, role: str) -> Client:
    with tenant_context(house.partner):
        return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {issue_tokens(house.users[role]).access}")


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


def test_two_people_let_go_of_what_is_due_on_the_pages(shop: House) -> None:
    first, second = shop.client("compliance"), shop.client("admin")

    assert "1 record would go now" in first.get("/retention/trial").content.decode()
    assert first.post("/retention", {"act": "propose"}).status_code == 302
    alone = first.post("/retention", {"act": "answer", "number": "1", "agrees": "yes"})
    assert alone.status_code == 409
    assert "another person has to agree" in alone.content.decode()
    assert second.post("/retention", {"act": "answer", "number": "1", "agrees": "yes"}).status_code == 302
    with tenant_context(shop.partner):
        assert work_on_run()
        keys = keyring().public_keys()

    signed = first.get("/retention/runs/1.json").content
    assert verify_certificate(signed, public_keys=keys)["gone"] == {"applicant": 1}
    paper = first.get("/retention/runs/1.pdf").content
    assert paper.startswith(b"%PDF-")
    assert b"pdfaid:part" in paper
    assert "Certificate 1, PDF" in first.get("/retention").content.decode()


def test_the_same_through_the_api_and_under_its_earlier_name(shop: House) -> None:
    first, second = program(shop, "compliance"), program(shop, "admin")

    preview = {one["record_class"]: one["counts"] for one in first.get("/api/v1/retention/preview").json()["data"]}
    asked = post(first, "/api/v1/audit/cleanup", {})
    refused = post(first, "/api/v1/retention/runs/1/answer", {"agrees": True})
    agreed = post(second, "/api/v1/retention/runs/1/answer", {"agrees": True})
    with tenant_context(shop.partner):
        work_on_run()

    assert preview["applicant"] == {"due": 1}
    assert (asked.status_code, asked.json()["state"], asked.json()["due"]["applicant"]) == (201, "proposed", 1)
    assert asked["Link"] == '</api/v1/retention/runs>; rel="successor-version"'
    assert (refused.status_code, refused.json()["code"]) == (403, "second_person_needed")
    assert agreed.json()["state"] == "confirmed"
    done = first.get("/api/v1/retention/runs").json()["data"][0]
    assert (done["state"], done["gone"]) == ("done", {"applicant": 1})
    assert json.loads(first.get("/api/v1/retention/runs/1/certificate").json()["certificate"])["run"] == 1


def test_a_hold_is_placed_and_lifted_by_two_people_through_the_api(shop: House) -> None:
    first, second = program(shop, "compliance"), program(shop, "admin")
    with tenant_context(shop.partner):
        application = Application.objects.get()
    body = {"kind": "application", "object_id": str(application.id), "reason": "Case 5"}

    placed = post(first, "/api/v1/retention/holds", body)
    assert placed.status_code == 201
    assert post(first, "/api/v1/retention/runs", {}).json()["code"] == "retention_conflict"
    at = f"/api/v1/retention/holds/{placed.json()['id']}"
    assert post(first, f"{at}/lift", {"reason": "Over"}).json()["lift_asked_by"]
    assert post(first, f"{at}/answer", {"agrees": True}).status_code == 403
    assert post(second, f"{at}/answer", {"agrees": True}).json()["lifted_at"]

    assert post(first, "/api/v1/retention/runs", {}).status_code == 201


def test_a_rule_is_set_and_removed(shop: House) -> None:
    client, page = program(shop, "compliance"), shop.client("compliance")
    rule = {"record_class": "batch", "trigger": "made", "period": 3, "unit": "years", "citation": "Our own"}

    assert post(client, "/api/v1/retention/policies", rule).json() == {**rule, "action": "anonymise"}
    assert post(client, "/api/v1/retention/policies", {**rule, "action": "erase"}).status_code == 422
    faulty = page.post("/retention", {**rule, "act": "policy", "period": "0"})
    assert faulty.status_code == 422
    assert "Give a whole number from 1 to 50." in faulty.content.decode()
    assert page.post("/retention", {**rule, "act": "policy", "period": "4", "action": "delete"}).status_code == 302
    assert "Delete" in page.get("/retention").content.decode()
    assert client.delete("/api/v1/retention/policies/batch/made").status_code == 204

    with tenant_context(shop.partner):
        assert not RetentionPolicy.objects.filter(record_class="batch").exists()
        actions = Event.objects.filter(object_kind="retention_policy").order_by("id").values_list("action", flat=True)
        assert list(actions) == ["retention_policy.changed", "retention_policy.changed", "retention_policy.removed"]


@pytest.mark.parametrize(
    "body", [{"act": "hold", "object_id": "x", "until": "soon"}, {"act": "lift", "hold_id": "x", "reason": "So."}, {"act": "answer"}, {}]
)
def test_what_makes_no_sense_on_the_page_changes_nothing(shop: House, body: dict[str, str]) -> None:
    answer = shop.client("admin").post("/retention", body)

    assert answer.status_code in {409, 422}
    with tenant_context(shop.partner):
        assert (Hold.objects.count(), RetentionRun.objects.count()) == (0, 0)


def test_the_report_says_the_same_in_every_form(shop: House, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = f"since={today}&until={today}"

    said = program(shop, "compliance").get(f"/api/v1/compliance-report?{days}").json()
    page = shop.client("compliance").get(f"/compliance-report?{days}").content.decode()
    table = shop.client("compliance").get(f"/compliance-report?{days}&format=csv").content.decode()
    paper = shop.client("compliance").get(f"/compliance-report?{days}&format=pdf").content
    call_command("compliance_report", shop.slug, out=tmp_path / "r.json", since=today, until=today, stdout=io.StringIO())

    decisions = {one["item"]: one["figures"] for one in said["sections"]["decisions"]}
    assert list(decisions.values()) == [{"decisions": 1, "by_rules": 1, "approve": 0, "refer": 0, "decline": 1}]
    assert said["sections"]["reasons"]
    assert said["sections"]["record"][0]["figures"]["verification"] == "none"
    rows = list(csv.reader(io.StringIO(table)))
    assert ["decisions", next(iter(decisions)), "decline", "1"] in rows
    assert all(len(row) == 4 for row in rows)
    assert next(iter(decisions)) in page
    assert b"pdfaid:part" in paper
    assert json.loads((tmp_path / "r.json").read_text())["sections"]["decisions"] == said["sections"]["decisions"]
    with tenant_context(shop.partner):
        assert Event.objects.filter(action=Action.COMPLIANCE_REPORT_MADE).count() == 5


def test_every_figure_of_the_report_is_what_a_person_counts(shop: House) -> None:
    officer, today = acting(shop, "officer"), datetime.now(UTC).date()
    with tenant_context(shop.partner):    # the shop's own application: declined, told and let go of, so its reasons cannot be opened
        change_approval_policy(product_slug=SLUG, actor=SYSTEM, four_eyes="never")
        propose_run(actor=acting(shop, "compliance"))
        answer_run(number=1, agrees=True, actor=acting(shop, "admin"))
        assert work_on_run()
        on_time, late, overdue, against, _not_due = (receive() for _ in range(5))
        decide_application(application_id=against.id, move=MoveName.RECONSIDER, why=Why("reopened"), actor=officer)
        decide_application(application_id=against.id, move=MoveName.APPROVE, why=Why("guarantee_given"), actor=officer)
        put_in_force(REFERS)
        approved, declined, _waits = (receive() for _ in range(3))
        decide_application(application_id=approved.id, move=MoveName.APPROVE, why=Why("income_confirmed"), actor=officer)
        decide_application(application_id=declined.id, move=MoveName.DECLINE, why=Why("as_reasoned"), actor=officer)
        put_in_force(APPROVES)
        receive()
        now = datetime.now(UTC)
        for one, due, sent in ((on_time, 1, 0), (late, -1, 0), (overdue, -1, None), (declined, 1, 0)):
            sent_at = None if sent is None else now
            Application.objects.filter(id=one.id).update(notice_due_at=now + timedelta(hours=due), notice_sent_at=sent_at)
        for kind in ("access", "access", "objection"):
            request = open_request(kind=kind, reference=reference_of(approved) or "", received_on=today, actor=officer)
        withdraw_request(number=request.number - 1, actor=officer)
        assert approved.applicant_id is not None
        place_hold(kind="applicant", object_id=approved.applicant_id, reason="Case 17", until=None, actor=acting(shop, "compliance"))
        raise_alert(kind="replay_differs", object_kind="decision", object_id="1", detail={})
        given = Counter(reason.code for one in Decision.objects.exclude(outcome="approve")
                        if (why := selectors.decision_detail(one.id).explanation) for reason in why.reasons)  # fmt: skip
        seal()
        ask_verification(actor=officer)
        work_on_verification()
        sealed, recorded = newest_checkpoint(), Event.objects.count()

        report = compliance_report(Period(today, today), actor=officer)

    found = {name: {row.item: dict(row.figures) for row in rows} for name, rows in report.sections.items() if name != "models"}
    assert found["decisions"] == {SLUG: {"decisions": 10, "by_rules": 10, "approve": 1, "refer": 3, "decline": 6}}
    # The shop's own came eight years ago.
    states = {"new": 1, "in_review": 0, "needs_information": 0, "approved": 3, "declined": 5, "counter_offered": 0, "withdrawn": 0,
              "expired": 0}  # fmt: skip
    assert found["applications"] == {"all": {"received": 9, **states, "by_people": 3, "overrides": 1}}
    assert found["reasons"] == {code: {"times": times, "of": 8, "left_out": 1} for code, times in given.items()}
    none = {"approve": 0, "decline": 0, "counter_offer": 0}
    assert found["people"] == {
        "guarantee_given": {"times": 1, **none, "approve": 1}, "income_confirmed": {"times": 1, **none, "approve": 1},
        "as_reasoned": {"times": 1, **none, "decline": 1},
    }  # fmt: skip
    ruled = [(row.item, row.figures["model_version"], row.figures["policy_version"], row.figures["decisions"],
              row.figures["in_force_from"], row.figures["in_force_until"]) for row in report.sections["models"]]  # fmt: skip
    assert ruled == [(SLUG, "rules", 1, 6, str(today), str(today)), (SLUG, "rules", 2, 3, str(today), str(today)),
                     (SLUG, "rules", 3, 1, str(today), "")]  # fmt: skip
    assert found["notices"] == {"all": {"on_time": 2, "late": 1, "not_due_yet": 1, "overdue": 1}}
    kinds = {"done": 0, "refused": 0, "withdrawn": 0, "not_due_yet": 1, "overdue": 0}
    assert found["privacy"] == {"access": {"received": 2, **kinds, "withdrawn": 1}, "objection": {"received": 1, **kinds},
                                "applicant.erased": {"times": 1}}  # fmt: skip
    assert found["retention"] == {"run_1": {"records": 1}, "legal_holds": {"records": 1}}
    assert sealed is not None
    told = found["record"]["events"]
    assert told.pop("verified_at")
    assert told == {"events": recorded, "verification": "in_order", "verified_events": sealed.size, "verified_of_period": sealed.size,
                    "tree_size": sealed.size, "root": bytes(sealed.root).hex()}  # fmt: skip
    assert {name: row["times"] for name, row in found["findings"].items()} == {
        "notices_overdue": 1, "alerts_open": 1, "events_not_verified": recorded - sealed.size,
    }  # fmt: skip


def put_in_force(cut_offs: tuple[int, int]) -> None:
    policy = PolicyDefinition.from_dict(Product.objects.get(slug=SLUG).policy.definition)
    approve_from, decline_below = cut_offs
    changed = replace(policy, approve_from=approve_from, decline_below=decline_below)
    change_policy(product_slug=SLUG, policy=changed, actor=SYSTEM, reason="For a count by hand.")


def test_a_check_that_found_something_wrong_is_said_in_the_report(shop: House) -> None:
    today = datetime.now(UTC).date()
    with tenant_context(shop.partner):
        record_verification(Wrong("The event 7 is not as it was recorded (position 7).", 7), actor=SYSTEM)

        report = compliance_report(Period(today, today), actor=SYSTEM)

    (row,) = report.sections["record"]
    assert (row.figures["verification"], row.figures["verified_of_period"]) == ("not_in_order", 0)
    assert row.figures["problem"] == "The event 7 is not as it was recorded (position 7)."
    assert {row.item for row in report.sections["findings"]} == {"record_not_in_order", "events_not_verified"}


@pytest.mark.parametrize(
    "days", ["since=2026-10-02&until=2026-10-01", "since=2024-01-01&until=2026-01-01", "since=x&until=y", "since=2026-01-01"]
)
def test_a_period_that_cannot_be_reported_on_is_refused(shop: House, days: str) -> None:
    assert shop.client("compliance").get(f"/compliance-report?{days}").status_code == 422
