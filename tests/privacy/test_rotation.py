"""Keys change while the portal works: no request fails, what was sealed still opens, and whoever is stopped goes on."""

import http.client
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings

from audit import vault
from audit.actions import Action
from audit.context import SYSTEM
from audit.errors import RootKeyUnreachable, RootKeyWrong
from audit.models import Event, Keyring
from audit.privacy.holders import keeper
from audit.privacy.rotation import rewrap, rewrap_keyring
from audit.root import CommandRootKey
from audit.rotation import PURPOSES, change_key
from audit.vault import check_keyring, ensure_keyring, keyring, refresh_keyring
from partners.accounts.tokens import issue_tokens
from partners.tenancy import as_owner, public_context, tenant_context
from scoring import selectors
from scoring.models import Applicant, Channel
from scoring.privacy import rewrap as rewrap_some
from scoring.services.replay import replay_decisions
from scoring.services.score import score_applicants
from tests.conftest import OTHER_ROOT as OTHER
from tests.conftest import House, Site
from tests.scoring.factories import SLUG, add_product, an_item, by_key

COLUMNS = ("data_key_id", "wrapped_key", "decisions__id", "decisions__sealed")
Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> Iterator[House]:
    """A partner with twelve applicants."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        score_applicants(product_slug=SLUG, items=[an_item(f"A-{one}") for one in range(12)], actor=by_key(), channel=Channel.API)
        kept = dict(Keyring.objects.values_list("id", "wrapped"))
    yield house
    with tenant_context(house.partner):    # under the root key again, which opens every partner's keys for a copy of the whole system
        for one, wrapped in kept.items():
            Keyring.objects.filter(id=one).update(wrapped=wrapped)
    vault._rings.pop(house.schema, None)


def versions() -> list[int]:
    return sorted(bytes(one)[0] for one in Applicant.objects.values_list("wrapped_key", flat=True) if one)


def opens(reference: str) -> bool:
    found = selectors.applicant(reference)
    return found is not None and found.details is not None and found.details.reference == reference


def test_a_stopped_rewrap_goes_on_and_leaves_nothing_behind(house: House) -> None:
    with tenant_context(house.partner):
        change_key("wrap", actor=SYSTEM)
        assert rewrap_some(5) == 5    # here somebody stopped it
        assert versions() == [1] * 7 + [2] * 5
        assert all(opens(f"A-{one}") for one in range(12))
        told: list[int] = []

        assert rewrap(actor=SYSTEM, report=told.append) == 7
        assert (versions(), told) == ([2] * 12, [7])
        assert rewrap(actor=SYSTEM, report=told.append) == 0
        assert all(opens(f"A-{one}") for one in range(12))
        assert list(Event.objects.filter(action__startswith="keyring.re").values_list("detail", flat=True)) == [{"keys": 7}]


def test_a_process_that_knows_only_the_old_key_reads_what_the_new_one_wrapped(house: House) -> None:
    with tenant_context(house.partner):
        stale = keyring()
        change_key("wrap", actor=SYSTEM)
        rewrap(actor=SYSTEM, report=lambda _: None)
        vault._rings[house.schema] = stale    # as another process has it

        assert opens("A-3")
        score_applicants(product_slug=SLUG, items=[an_item("A-3")], actor=by_key(), channel=Channel.API)


def test_a_changed_data_key_seals_what_comes_and_opens_what_was(house: House) -> None:
    with tenant_context(house.partner):
        applicant_id = keyring().applicant_id("A-1")
        before = Applicant.objects.get(id=applicant_id)
        keeper().change_key(applicant_id)
        keeper().change_key(applicant_id)
        after = Applicant.objects.get(id=applicant_id)
        score_applicants(product_slug=SLUG, items=[an_item("A-1")], actor=by_key(), channel=Channel.API)

        assert len({before.data_key_id, after.data_key_id}) == 2
        assert opens("A-1")
        *_, found = replay_decisions()
        assert (found.checked, found.identical) == (13, 13)
        rows = list(Applicant.objects.filter(id=applicant_id).values_list(*COLUMNS))
        kept = [(str(applicant_id), str(key), bytes(wrapped or b""), str(row), bytes(sealed)) for key, wrapped, row, sealed in rows]
        assert None not in list(keyring().unseal_many(kept, table="scoring_decision", column="sealed"))


def test_the_root_key_changes_partner_by_partner_and_the_old_one_opens_nothing_afterwards(house: House) -> None:
    with tenant_context(house.partner):
        old = settings.ROOT_KEY
        with override_settings(ROOT_KEY=OTHER, ROOT_KEY_PREVIOUS=old):
            check_keyring()
            assert rewrap_keyring(actor=SYSTEM) == 4
            assert rewrap_keyring(actor=SYSTEM) == 0
        with override_settings(ROOT_KEY=OTHER, ROOT_KEY_PREVIOUS=""):
            refresh_keyring()
            assert opens("A-2")
        with pytest.raises(RootKeyWrong):
            check_keyring()
        assert Event.objects.get(action=Action.KEYRING_REWRAPPED).detail == {"keys": 4}


PROGRAM = '''
import base64, json, sys
asked = json.load(sys.stdin)
data, mark = base64.b64decode(asked["data"]), asked["context"].encode() + b"|"
if sys.argv[1] == "wrap":
    out = mark + bytes(one ^ 0x5A for one in data)
elif data.startswith(mark):
    out = bytes(one ^ 0x5A for one in data[len(mark):])
else:
    sys.exit(2)
print(json.dumps({"data": base64.b64encode(out).decode()}))
'''


def test_a_key_service_behind_a_program_takes_over_and_is_asked_for_each_key(house: House, tmp_path: Path) -> None:
    program = tmp_path / "service.py"
    program.write_text(PROGRAM)
    command = f"{sys.executable} {program}"
    with tenant_context(house.partner):
        with override_settings(ROOT_KEY_COMMAND=command):
            assert rewrap_keyring(actor=SYSTEM) == 4
        with override_settings(ROOT_KEY_COMMAND=command, ROOT_KEY=""):
            refresh_keyring()
            assert opens("A-2")
        with pytest.raises(RootKeyWrong):
            check_keyring()


@pytest.mark.parametrize("command", ["/nowhere/at/all", f"{sys.executable} -c exit(1)", f"{sys.executable} -c print(7)"])
def test_a_key_service_that_is_away_is_one_clear_error(command: str) -> None:
    with pytest.raises(RootKeyUnreachable, match="VOUCH_ROOT_KEY_COMMAND"):
        CommandRootKey(tuple(command.split())).wrap(b"s" * 32, b"place")


def test_the_commands_say_what_they_did(house: House) -> None:
    out = io.StringIO()
    call_command("rotate_key", house.slug, "wrap", "--json", stdout=out, stderr=io.StringIO())
    call_command("rotate_key", house.slug, "data", "--reference", "A-1", stdout=io.StringIO(), stderr=io.StringIO())

    assert json.loads(out.getvalue()) == {"purpose": "wrap", "rewrapped": 12}
    with tenant_context(house.partner):
        assert versions() == [2] * 12
        assert opens("A-1")


def test_the_root_key_of_what_operators_did_changes_with_the_others(house: House) -> None:
    with public_context():
        ensure_keyring()
    with as_owner("public"), transaction.atomic():
        with connection.cursor() as cursor:    # partners of other tests are under keys of their own
            for table, column in (("partners_domain", "tenant_id"), ("partners_partner", "id")):
                cursor.execute(f"DELETE FROM {table} WHERE {column} <> %s", [house.partner.pk])
        with override_settings(ROOT_KEY=OTHER, ROOT_KEY_PREVIOUS=settings.ROOT_KEY):
            call_command("rotate_root_key", stdout=io.StringIO(), stderr=io.StringIO())
        with override_settings(ROOT_KEY=OTHER, ROOT_KEY_PREVIOUS=""), public_context():
            check_keyring()
        transaction.set_rollback(True)


SECONDS, AT_A_TIME, SENDERS = 20, 10, 5    # each sender ten a second: fifty together


@pytest.mark.slow
def test_every_key_changes_at_fifty_requests_a_second_without_an_error(site: Site, new_partner: Partners) -> None:
    """Another process answers while this one changes every key of the partner, re-wraps what they guard, and changes the root key."""
    sent, faults, began, old = list[float](), list[str](), time.monotonic(), settings.ROOT_KEY
    with tenant_context(site.house.partner):
        bearer = issue_tokens(site.house.users["officer"]).access
    keys = [{"X-API-Key": site.house.api_key}, {"Authorization": f"Bearer {bearer}"}]
    threads = [threading.Thread(target=_send, args=(site, keys[one % 2], one, began, sent, faults)) for one in range(SENDERS)]
    for thread in threads:
        thread.start()
    rounds = 0
    try:
        with tenant_context(site.house.partner):
            while any(thread.is_alive() for thread in threads) and not faults:
                now, before = (OTHER, old) if rounds % 2 == 0 else (old, OTHER)
                with override_settings(ROOT_KEY=now, ROOT_KEY_PREVIOUS=before):
                    assert rewrap_keyring(actor=SYSTEM) >= 4
                    for purpose in PURPOSES:
                        change_key(purpose, actor=SYSTEM)
                    for applicant_id in Applicant.objects.exclude(wrapped_key=None).values_list("id", flat=True)[:20]:
                        keeper().change_key(applicant_id)
                    rewrap(actor=SYSTEM, report=lambda _: None)
                rounds += 1
    finally:
        for thread in threads:
            thread.join(60)
        with tenant_context(site.house.partner), override_settings(ROOT_KEY=old, ROOT_KEY_PREVIOUS=OTHER):
            rewrap_keyring(actor=SYSTEM)

    assert faults == []
    assert rounds >= 3
    assert len(sent) == SECONDS * AT_A_TIME * SENDERS
    print(f"{len(sent)} answers in {max(sent):.1f} s, {rounds} rounds of changes")  # noqa: T201 - the figure of this trial


def _send(site: Site, key: dict[str, str], number: int, began: float, sent: list[float], faults: list[str]) -> None:
    """One answer every tenth of a second, by the clock: whoever is late hurries."""
    headers = {"Host": f"{site.house.host}:{site.port}", "Content-Type": "application/json", **key}
    asked = {"product": site.house.product, "inputs": site.house.inputs}
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)) as line:
        for turn in range(SECONDS * AT_A_TIME):
            if faults:
                return
            time.sleep(max(0.0, began + turn / AT_A_TIME - time.monotonic()))
            body = json.dumps({**asked, "applicant": {"reference": f"R-{number}-{turn % 7}", "name": "Amina"}})
            line.request("POST", "/api/v1/scores", body, headers)
            answer = line.getresponse()
            text = answer.read()
            if answer.status != 201:
                faults.append(text.decode()[:300])
            sent.append(time.monotonic() - began)
