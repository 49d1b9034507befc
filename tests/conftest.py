"""Two partners made once per run (north, south), people and keys of each role, and a product with a promoted model.

Everything a test writes is rolled back. What has to be committed (threads, other processes, sealing) happens in a partner of its own:
`new_partner`. Tables are never flushed, because the record cannot be.
"""

import fcntl
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import setup_databases, teardown_databases

from audit import vault
from audit.context import SYSTEM
from audit.ids import uuid7
from audit.vault import keyring
from partners.accounts.models import Session, User
from partners.accounts.roles import Role
from partners.accounts.services import create_api_key, create_user
from partners.models import Partner
from partners.services import create_partner
from partners.tenancy import public_context, schema_of, tenant_context
from portal.waiting import wait_until
from scoring.engine.bundle import read_bundle, read_card, sign_bundle, write_bundle
from scoring.engine.synthetic import market_loans, write_table
from scoring.models import Decision, ModelVersion
from scoring.services.models import promote_model, store_model_version

ROOT = Path(__file__).resolve().parent.parent
OTHER_ROOT = "cd" * 32
PASSWORD = "correct horse battery staple"
PRODUCT = "market-loan"
INPUTS = {
    "loan_amount": 60_000.0, "term_months": 6, "monthly_revenue": 48_000.0, "months_trading": 30, "stall": "food", "area": "coast",
    "mobile_deposits_30d": 12, "savings_balance": 9_000.0, "previous_loans": 2, "longest_delay_days": 3.0,
    "savings_group_member": True, "age": 34,
}  # fmt: skip


@dataclass(frozen=True)
class House:
    """A partner as tests see it: host, people by role, an API key with every scope."""

    partner: Partner
    users: Mapping[str, User]
    api_key: str
    product: str = PRODUCT
    inputs: Mapping[str, Any] = field(default_factory=lambda: dict(INPUTS))

    @property
    def slug(self) -> str:
        return self.partner.slug

    @property
    def schema(self) -> str:
        return str(self.partner.schema_name)

    @property
    def host(self) -> str:
        return f"{self.slug}.localhost"

    def client(self, role: Role | str | None = None) -> Client:
        """A browser on this partner's host, logged in with this role when one is given."""
        client = Client(HTTP_HOST=self.host)
        if role is not None:
            self.sign_in(client, self.users[str(role)])
        return client

    def sign_in(self, client: Client, user: User) -> None:
        """The browser is the person's, as after a password and a second factor."""
        with tenant_context(self.partner):
            epoch = User.objects.get(id=user.id).token_epoch
            how = {"channel": Session.Channel.PAGE, "factor": Session.Factor.TOTP}
            begun = Session.objects.create(user=user, token_epoch=epoch, **how)
            client.force_login(user)
            kept = client.session
            kept["sign_in"] = str(begun.id)
            kept.save()

    def api(self, key: str | None = None) -> Client:
        """A program on this partner's host, with this API key or the partner's own."""
        return Client(HTTP_HOST=self.host, HTTP_X_API_KEY=self.api_key if key is None else key)


def of_operator(user: User) -> Client:
    """The operator's browser on the public host, signed in with a second factor."""
    client = Client(HTTP_HOST="localhost")
    with public_context():
        begun = Session.objects.create(user=user, token_epoch=user.token_epoch, channel=Session.Channel.PAGE, factor=Session.Factor.TOTP)
        client.force_login(user)
        kept = client.session
        kept["sign_in"] = str(begun.id)
        kept.save()
    return client


def make_house(slug: str, *, plan: str = "enterprise") -> House:
    """A partner with a person of every role (PASSWORD opens them all) and an API key; committed."""
    partner = create_partner(slug=slug, name=slug.title(), country="KE", currency="KES", plan=plan, actor=SYSTEM)
    with tenant_context(partner):
        users = {str(role): _person(slug, role) for role in Role}
        key = create_api_key(name="tests", actor=SYSTEM)
    return House(partner, users, key.secret)


def _person(slug: str, role: Role) -> User:
    name = f"{slug.title()} {role.label}"
    return create_user(email=f"{role.value}@{slug}.example", role=role, password=PASSWORD, name=name, actor=SYSTEM)


def add_product(house: House) -> None:
    """The house has a product with a promoted model; committed. The run trains one model, and each house signs it."""
    run = Path(os.environ["VOUCH_TEST_RUN"])
    table, trained = run / "loans.csv", run / "trained"
    with open(run / "training", "w") as lock, open(os.devnull, "w") as nowhere, tenant_context(house.partner):
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers of this run wait for its model
        if not table.exists():
            write_table(table, market_loans(1_200, seed=1))
        quiet = {"stdout": nowhere, "stderr": nowhere}
        options = {"from_csv": str(table), "target": "defaulted", "positive": "1", "id": "loan_id", "protected": "gender"}
        call_command("create_product", house.slug, PRODUCT, **options, **quiet)
        ring = keyring()
        if trained.exists():
            bundle = sign_bundle(trained.read_bytes(), sign=ring.sign, key_id=ring.key_id)
            store_model_version(product_slug=PRODUCT, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)
        else:
            call_command("train_model", house.slug, PRODUCT, csv=str(table), folds=2, **quiet)
            stored = bytes(ModelVersion.objects.get().bundle)
            keys = ring.public_keys()
            trained.write_bytes(write_bundle(read_bundle(stored, keys), card=read_card(stored, keys)))
        promote_model(product_slug=PRODUCT, version=1, actor=SYSTEM)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: Any) -> Iterator[None]:
    """The run's own database. pytest-django makes it only for tests with its mark; partners of a test's own need it too."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, serialized_aliases=())
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def houses(django_db_setup: None, django_db_blocker: Any) -> dict[str, House]:
    """north and south, each with its product and model."""
    with django_db_blocker.unblock():
        made = {slug: make_house(slug) for slug in ("north", "south")}
        for house in made.values():
            add_product(house)
        connection.set_schema_to_public()  # type: ignore[attr-defined]
    return made


@pytest.fixture
def north(houses: dict[str, House], db: None) -> House:
    """The partner under test."""
    return houses["north"]


@pytest.fixture
def south(houses: dict[str, House], db: None) -> House:
    """The other partner, who must never be touched."""
    return houses["south"]


@pytest.fixture
def in_north(north: House) -> Iterator[House]:
    """The test runs in north's schema."""
    with tenant_context(north.partner):
        yield north
    vault._rings.pop(north.schema, None)    # a key that was rotated is rolled back; what this process remembers is not


@pytest.fixture
def new_partner(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[..., House]]:
    """Makes partners whose rows are really committed: for threads, other processes and the sealer. Not together with `db`."""

    def make(*, with_product: bool = False, plan: str = "enterprise") -> House:
        house = make_house(f"p{uuid7().hex[-12:]}", plan=plan)
        if with_product:
            add_product(house)
        return house

    with django_db_blocker.unblock():
        yield make
        connection.set_schema_to_public()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Site:
    """A running web server on the test database, and a partner on it."""

    address: str
    port: int
    house: House
    process: subprocess.Popen[bytes]

    def url(self, path: str = "/") -> str:
        """What a browser opens."""
        return f"http://{self.house.host}:{self.port}{path}"


@pytest.fixture(scope="session")
def site(django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """A real web server with a partner of its own, for browsers and for whole journeys."""
    with django_db_blocker.unblock():
        house = make_house(f"site{uuid7().hex[-8:]}")
        with tenant_context(house.partner):
            User.objects.update(password=make_password(PASSWORD, hasher="argon2"))  # the server knows no quick hasher
        add_product(house)
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        name = connection.settings_dict["NAME"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": address_of(name), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment["VOUCH_ROOT_KEY_PREVIOUS"] = OTHER_ROOT    # a test changes the root key while this server works
    environment["VOUCH_RELAXED_SIGN_IN"] = "1"    # as in the demo: browsers of tests sign in often, and a code works once
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", "4",
               "--no-ws", "--log-level", "warning", "portal.wsgi:application"]  # fmt: skip
    with open(Path(os.environ["VOUCH_HOME"]) / f"site-{port}.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            ready = f"http://127.0.0.1:{port}/ready"
            assert wait_until(lambda: _answers(ready), 60), f"{ready} does not answer"
            yield Site(f"http://127.0.0.1:{port}", port, house, process)
        finally:
            process.terminate()
            process.wait(20)


def address_of(database: str) -> str:
    """DATABASE_URL, with this run's database in place of the configured one."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """Each test begins and ends outside any partner, and leaves no decision with the partners that all tests share."""
    yield
    if connection.schema_name not in {None, "public"}:  # type: ignore[attr-defined]
        connection.set_schema_to_public()  # type: ignore[attr-defined]
    if {"north", "south"} & set(request.fixturenames):
        with django_db_blocker.unblock():
            left = {slug: _decisions_of(slug) for slug in ("north", "south")}
        assert not any(left.values()), f"this test left decisions: {left}"


def _decisions_of(slug: str) -> int:
    with tenant_context(schema_of(slug)):
        return int(Decision.objects.count())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuses tests that would flush tables, and a run in which tests of one group would be spread over workers."""
    flushing = [item.nodeid for item in items if {"transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))]
    if flushing:
        raise pytest.UsageError(f"use `new_partner` or `site` instead of transactional_db and live_server: {', '.join(flushing[:5])}")
    spread = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
    if spread and config.getoption("loadgroup", False):
        raise pytest.UsageError(f"pytest-xdist did not keep these tests together: {', '.join(spread[:5])}")
