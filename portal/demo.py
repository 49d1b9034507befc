"""The demo: two partners with people, a product, a promoted model and scored applicants; made once, found again later."""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db.models import Q
from django.utils import timezone

from audit.context import SYSTEM
from audit.vault import keyring
from partners.accounts.keys import digest_of
from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Role
from partners.accounts.services import create_api_key, create_user, revoke_api_key
from partners.models import SANDBOX, Partner, Plan
from partners.sandboxes import refresh_sandbox
from partners.selectors import other_side
from partners.services import create_partner
from partners.tenancy import public_context, tenant_context
from portal.approvals.letters import settings_in_force
from portal.approvals.models import Application
from portal.approvals.services.notices import change_notice_settings
from portal.demo_applications import add_applications
from portal.embedded import home
from scoring import registry
from scoring.engine.products.ready import READY
from scoring.engine.synthetic import market_loans, write_table
from scoring.fixed import Case
from scoring.models import Applicant, Channel, ModelVersion, Product
from scoring.services.products import create_product
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants

PRODUCT = "market-loan"
APPLICANTS = 300
APPLICATIONS = 44
TRAINING_ROWS = 3_000
NOT_INPUTS = {"loan_id", "defaulted", "gender"}
FIRST_NAMES = ("Amina", "Wanjiru", "Otieno", "Fatou", "Moussa", "Achieng", "Ibrahim", "Njeri", "Awa", "Kamau", "Mariama", "Cheikh")
LAST_NAMES = ("Kariuki", "Diop", "Odhiambo", "Ndiaye", "Mwangi", "Sow", "Wafula", "Fall", "Chebet", "Ba", "Mutua", "Gueye")


@dataclass(frozen=True)
class DemoLoan:
    """A ready-made product of a demo partner; its applicants are numbered from `first`."""

    ready: str
    product: str
    estimator: str
    training_rows: int
    first: int
    applicants: int


@dataclass(frozen=True)
class DemoPartner:
    """A partner of the demo."""

    slug: str
    name: str
    country: str
    currency: str
    language: str
    time_zone: str
    phone_prefix: str
    seed: int
    loans: tuple[DemoLoan, ...]
    address: str
    authority: str


_MARKET = DemoLoan("credit", PRODUCT, "boosted", TRAINING_ROWS, 0, APPLICANTS)
_TONTINE = DemoLoan("tontine", "tontine-credit", "scorecard", 1_500, 1_000, 60)    # a small table, and members who ask the points
TITLES = {("fr", "credit"): "Prêt aux commerçants du marché", ("fr", "tontine"): "Crédit tontine"}    # as partners name them
PARTNERS = (
    DemoPartner("umoja", "Umoja Lending", "KE", "KES", "en", "Africa/Nairobi", "+2547", 11, (_MARKET,),
                "Kimathi Street 12\nNairobi", "Office of the Data Protection Commissioner, Nairobi"),
    DemoPartner("soleil", "Soleil Microfinance", "SN", "XOF", "fr", "Africa/Dakar", "+2217", 12, (_MARKET, _TONTINE),
                "Avenue Pompidou 8\nDakar", "Commission de protection des données personnelles, Dakar"),
)  # fmt: skip


def path() -> Path:
    """Where the demo's passwords and keys are kept, readable by its owner only."""
    return home() / "demo.json"


def seed(report: Callable[[str], None]) -> dict[str, Any]:
    """Both partners are there, whole. Whatever is there already stays as it is."""
    access = _kept()
    for demo in PARTNERS:
        _partner(demo, access.setdefault(demo.slug, {"passwords": {}, "api_key": ""}), lambda: _keep(access), report)
        _sandbox(demo, access[demo.slug], lambda: _keep(access), report)
    return access


def instructions(access: Mapping[str, Any], port: int) -> Iterator[str]:
    """How to get in: addresses, logins, and a decision by curl."""
    for demo in PARTNERS:
        yield ""
        yield f"{demo.name}: http://{demo.slug}.localhost:{port}"
        for email, password in access[demo.slug]["passwords"].items():
            yield f"    {email:<32} {password}"
        yield f"    API key  {access[demo.slug]['api_key']}"
        yield f"    test key {access[demo.slug]['test_key']} (http://{demo.slug + SANDBOX}.localhost:{port})"
    first = PARTNERS[0]
    yield ""
    yield "A decision:"
    yield curl(first.slug, access[first.slug]["api_key"], port, "A-1001", "first-decision")
    yield ""
    yield "A trial in the sandbox, where the reference says how it ends:"
    yield curl(first.slug + SANDBOX, access[first.slug]["test_key"], port, "test-decline-1", "first-trial")
    yield ""


def curl(slug: str, api_key: str, port: int, reference: str, idempotency_key: str) -> str:
    """One line for a shell that scores an applicant."""
    inputs = {name: value for name, value in market_loans(1, seed=99)[0].items() if name not in NOT_INPUTS}
    body = {"product": PRODUCT, "applicant": {"reference": reference}, "inputs": inputs}
    return (
        f"curl -sS -X POST http://{slug}.localhost:{port}/api/v1/scores -H 'X-API-Key: {api_key}' -H 'Content-Type: application/json' "
        f"-H 'Idempotency-Key: {idempotency_key}' -d '{json.dumps(body)}'"
    )


def _partner(demo: DemoPartner, access: dict[str, Any], keep: Callable[[], None], report: Callable[[str], None]) -> None:
    with public_context():
        partner = Partner.objects.filter(slug=demo.slug).first()
    if partner is None:
        report(f"making {demo.name}")
        partner = create_partner(
            slug=demo.slug, name=demo.name, country=demo.country, currency=demo.currency, plan=Plan.ENTERPRISE, actor=SYSTEM
        )
    with tenant_context(partner):
        _people(demo, access, keep)
        _key(access, "api_key", keep)
        _letters(demo)
        for loan in demo.loans:
            if not Product.objects.filter(slug=loan.product, champion__isnull=False).exists():
                report(f"training {loan.product} for {demo.name}")
                _product(demo, loan)
            _applicants(demo, loan, report)
        _applications(demo, demo.loans[0], report)


def _people(demo: DemoPartner, access: dict[str, Any], keep: Callable[[], None]) -> None:
    emails = {f"{role.value.replace('_', '-')}@{demo.slug}.example": role for role in Role}
    for email in emails:
        access["passwords"].setdefault(email, secrets.token_urlsafe(12))
    keep()  # before they are of use: who is interrupted finds them again
    for place, (email, role) in enumerate(emails.items()):
        if not User.objects.filter(email=email).exists():
            create_user(
                email=email, role=role, password=access["passwords"][email], name=_name(demo, APPLICANTS + place),
                language=demo.language, time_zone=demo.time_zone, actor=SYSTEM,
            )  # fmt: skip


def _sandbox(demo: DemoPartner, access: dict[str, Any], keep: Callable[[], None], report: Callable[[str], None]) -> None:
    """Where trials happen: the products as they are, a test key, and an applicant of each fixed outcome but the slow one."""
    with public_context():
        partner = Partner.objects.get(slug=demo.slug)
    sandbox = other_side(partner)
    if sandbox is None:
        report(f"making the sandbox of {demo.name}")
        sandbox = refresh_sandbox(partner, actor=SYSTEM)
    with tenant_context(sandbox):
        access.setdefault("test_key", "")
        _key(access, "test_key", keep)
        ring, wanted = keyring(), [case for case in Case if case != Case.SLOW]
        known = set(Applicant.objects.values_list("id", flat=True))
        inputs = {name: value for name, value in market_loans(1, seed=99)[0].items() if name not in NOT_INPUTS}
        for case in wanted:    # one at a time: the rules answer a whole request in which the model is down
            if ring.applicant_id(case) not in known:
                item = ScoreItem(ApplicantDetails(reference=case), registry.active(PRODUCT).validator.check(inputs))
                score_applicants(product_slug=PRODUCT, items=[item], actor=SYSTEM, channel=Channel.API, language=demo.language)


def _key(access: dict[str, Any], place: str, keep: Callable[[], None]) -> None:
    """One key that the demo made is live, the one that is kept: those whose secret was lost by an interruption are revoked."""
    live = ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)
    digest = digest_of(access[place])
    for stray in live.filter(name="demo", created_by=SYSTEM.label).exclude(digest=digest):
        revoke_api_key(key_id=stray.id, actor=SYSTEM)
    if not live.filter(digest=digest).exists():
        access[place] = create_api_key(name="demo", actor=SYSTEM).secret
        keep()


def _letters(demo: DemoPartner) -> None:
    """Who writes the letters: invented, so that a decline of the demo can be told."""
    if settings_in_force() is None:
        said = {
            "sender": demo.name, "address": demo.address, "email": f"ask@{demo.slug}.example", "phone": f"{demo.phone_prefix}0000000",
            "authority": demo.authority,
        }  # fmt: skip
        change_notice_settings(said=said, reason_texts={}, actor=SYSTEM)


def _product(demo: DemoPartner, loan: DemoLoan) -> None:
    """The ready-made product, trained and promoted by the same commands a partner's data scientist uses."""
    ready = READY[loan.ready]
    table = home() / "demo" / f"{demo.slug}-{loan.product}.csv"
    table.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_table(table, ready.table(loan.training_rows, seed=demo.seed))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        quiet = {"stdout": nowhere, "stderr": nowhere}
        if not Product.objects.filter(slug=loan.product).exists():
            product = ready.product(demo.currency)
            product = replace(product, title=TITLES.get((demo.language, loan.ready), product.title))
            create_product(definition=product, policy=ready.policy, actor=SYSTEM)
        call_command("train_model", demo.slug, loan.product, csv=str(table), estimator=loan.estimator, **quiet)
        newest = ModelVersion.objects.filter(product__slug=loan.product).latest("version").version
        call_command("promote_model", demo.slug, loan.product, str(newest), **quiet)


def _applicants(demo: DemoPartner, loan: DemoLoan, report: Callable[[str], None]) -> None:
    ring = keyring()
    numbers = range(loan.first, loan.first + loan.applicants)
    ids = {number: ring.applicant_id(_reference(demo, number)) for number in numbers}
    known = set(Applicant.objects.filter(id__in=ids.values()).values_list("id", flat=True))
    missing = [number for number, applicant_id in ids.items() if applicant_id not in known]
    if not missing:
        return
    report(f"scoring {len(missing)} applicants of {demo.name}")
    asked = READY[loan.ready].table(loan.applicants, seed=demo.seed + 100)
    validator = registry.active(loan.product).validator
    items = [
        ScoreItem(
            ApplicantDetails(
                reference=_reference(demo, number), name=_name(demo, number),
                phone=f"{demo.phone_prefix}{10_000_000 + number * 7919 % 89_999_999}", national_id=f"{demo.country}{20_000_000 + number}",
                birth_date=None,
            ),
            validator.check({name: value for name, value in asked[number - loan.first].items() if name not in NOT_INPUTS}),
        )
        for number in missing
    ]  # fmt: skip
    for start in range(0, len(items), 50):
        score_applicants(product_slug=loan.product, items=items[start : start + 50], actor=SYSTEM, channel=Channel.BATCH,
                         language=demo.language)  # fmt: skip


def _applications(demo: DemoPartner, loan: DemoLoan, report: Callable[[str], None]) -> None:
    """Some of the applicants ask for money, with other inputs than they were scored by before; nobody who is called as a colleague is."""
    ring, colleagues = keyring(), set(User.objects.values_list("name", flat=True))
    numbers = [number for number in range(loan.first, loan.first + loan.applicants) if _name(demo, number) not in colleagues][:APPLICATIONS]
    ids = {number: ring.applicant_id(_reference(demo, number)) for number in numbers}
    known = set(Application.objects.filter(applicant_id__in=ids.values()).values_list("applicant_id", flat=True))
    missing = [number for number in numbers if ids[number] not in known]
    if not missing:
        return
    report(f"taking in {len(missing)} applications of {demo.name}")
    asked = READY[loan.ready].table(loan.applicants, seed=demo.seed + 200)
    validator = registry.active(loan.product).validator
    rows = [{name: value for name, value in asked[number - loan.first].items() if name not in NOT_INPUTS} for number in missing]
    items = [
        ScoreItem(ApplicantDetails(reference=_reference(demo, number)), validator.check(row))
        for number, row in zip(missing, rows, strict=True)
    ]
    add_applications(loan.product, items, [row["loan_amount"] for row in rows], demo.currency, demo.language)


def _reference(demo: DemoPartner, number: int) -> str:
    return f"{demo.slug[0].upper()}-{number + 1:04d}"


def _name(demo: DemoPartner, number: int) -> str:
    first = number + demo.seed
    return f"{FIRST_NAMES[first % len(FIRST_NAMES)]} {LAST_NAMES[(first + first // len(FIRST_NAMES)) % len(LAST_NAMES)]}"


def _kept() -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return kept


def _keep(access: Mapping[str, Any]) -> None:
    part = path().with_suffix(f".{os.getpid()}")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(access, file, indent=2)
    part.replace(path())
