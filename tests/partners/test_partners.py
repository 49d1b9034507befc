"""Making partners: what is refused, what is there afterwards, and what a command prints."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.context import SYSTEM
from audit.models import Event, Keyring
from partners.errors import NoPartner, PartnerExists, PartnerRefused
from partners.models import Partner
from partners.services import create_partner
from partners.tenancy import as_owner, current_schema, outdated_schemas, public_context, scoped, tenant_context
from tests.conftest import House

GOOD: dict[str, Any] = {"slug": "west", "name": "West", "country": "KE", "currency": "KES"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "x"}, {"slug": "public"}, {"slug": "West"}, {"slug": "a_b"}, {"slug": "a--b"}, {"slug": "1st"}, {"slug": "a" * 31},
        {"slug": "a'; drop schema public"}, {"name": " "}, {"country": "XX"}, {"country": "KEN"}, {"currency": "KSH"}, {"plan": "gold"},
    ],
)  # fmt: skip
def test_what_cannot_be_a_partner_is_refused_and_leaves_nothing(north: House, wrong: dict[str, str]) -> None:
    with pytest.raises(PartnerRefused):
        create_partner(**{**GOOD, **wrong}, actor=SYSTEM)

    with public_context():
        assert set(Partner.objects.values_list("slug", flat=True)) & {"west", "x", "West"} == set()


def test_a_slug_is_taken_once(north: House) -> None:
    with pytest.raises(PartnerExists):
        create_partner(**{**GOOD, "slug": "north"}, actor=SYSTEM)


def test_a_new_partner_has_keys_and_an_event_and_is_up_to_date(in_north: House) -> None:
    assert Keyring.objects.filter(retired_at=None).count() == 4
    assert Event.objects.filter(action="partner.created", object_id="north").count() == 1
    assert in_north.schema not in outdated_schemas()


def test_no_business_table_is_in_the_shared_and_in_a_partners_schema(in_north: House) -> None:
    with as_owner("public"), connection.cursor() as cursor:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        cursor.execute(f"{tables} INTERSECT {tables}", ["public", in_north.schema])
        both = {name for (name,) in cursor.fetchall()}

    assert {name for name in both if not name.startswith(("accounts_", "mfa_", "auth_", "django_", "audit_"))} == set()


def test_keys_of_things_belong_to_the_partner_in_force(in_north: House, south: House) -> None:
    mine = scoped("cache", "score:42")
    with tenant_context(south.partner):
        assert scoped("cache", "score:42") != mine
    assert scoped("a", "b:c") != scoped("a", "b", "c")
    assert current_schema() == in_north.schema


def test_there_are_no_such_keys_outside_a_partner(north: House) -> None:
    with pytest.raises(NoPartner):
        scoped("cache", "score:42")


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def test_commands_print_one_json_object(new_partner: Callable[..., House]) -> None:
    house = new_partner()

    key = json.loads(run("create_api_key", house.slug, "--name", "ci", "--json"))

    assert key["api_key"].startswith(f"vk_live_{house.slug}_")
    assert house.api(key["api_key"]).get("/api/v1/products").status_code == 200


def test_a_command_for_an_unknown_partner_says_which_there_are(north: House) -> None:
    with pytest.raises(CommandError, match="There is no partner 'nowhere'. There are: .*north"):
        run("create_api_key", "nowhere", "--name", "ci")


def test_create_user_reads_the_password_from_stdin(new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    house = new_partner()
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))

    run("create_user", house.slug, "Ana@West.example", "--role", "officer", "--password-stdin")

    assert house.client().login(username="ana@west.example", password="correct horse battery") is False    # not in the shared schema
    with tenant_context(house.partner):
        assert house.client().login(username="ana@west.example", password="correct horse battery")
