"""Copies of what is held of an applicant go with them: files of exports, schedules that look for them, and what a backup brings back."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.models import RetentionPolicy
from audit.privacy import requests
from audit.privacy.ledger import path_of as ledger_of
from audit.privacy.ledger import publish_erasures
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.files import add_file
from portal.approvals.services.files import path_of as place_of_file
from portal.exports import storage
from portal.exports.errors import ExportNotReady
from portal.exports.models import Export, Schedule
from portal.exports.services.asking import ask_export, filters_of, schedule_export
from portal.exports.services.opening import open_link
from portal.exports.services.writing import unattended, write_export
from scoring.models import Applicant
from tests.approvals import factories
from tests.conftest import House
from tests.exports.factories import content, exported, wanted

Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> Iterator[House]:
    """A partner with Amina and Zuri."""
    house = new_partner()
    with tenant_context(house.partner):
        factories.add_product()
        RetentionPolicy.objects.all().delete()    # no period stands against an erasure
        for reference, name in (("A-1", "Amina Odhiambo"), ("B-2", "Zuri Ali")):
            factories.receive(factories.asked(reference=reference, name=name))
        yield house


def erase(house: House, reference: str = "A-1") -> None:
    first, second = factories.acting(house, "compliance"), factories.acting(house, "admin")
    made = requests.open_request(kind="erasure", reference=reference, received_on=timezone.now().date(), actor=first)
    requests.propose_erasure(number=made.number, actor=first)
    requests.confirm_erasure(number=made.number, actor=second)


def test_an_erasure_takes_the_files_that_hold_applicants_and_leaves_the_others(house: House) -> None:
    admin = factories.acting(house, "admin")
    naming, plain = exported(admin, wanted(with_applicants=True)), exported(admin, wanted())
    sought = exported(admin, wanted(list_name="applicants", filters={"q": "Amina Odhiambo"}))
    assert b"Amina" in content(naming, admin)

    erase(house)

    for one in (naming, sought):
        one.refresh_from_db()
        assert (one.is_there, storage.path_of(one.lease or one.id).exists(), filters_of(one)) == (False, False, {})
        with pytest.raises(ExportNotReady):
            open_link(export_id=one.id, actor=admin)
    assert content(plain, admin).count(b"\n") == 3


def test_a_file_that_is_being_written_is_begun_again_without_them(house: House) -> None:
    admin = factories.acting(house, "admin")
    made = ask_export(asked=wanted(with_applicants=True), actor=admin)
    Export.objects.filter(id=made.id).update(state="running", lease=made.id, lease_until=timezone.now() + timedelta(minutes=1), attempts=1)
    half = storage.SealedFile(made.id)
    half.write(b"Amina")
    half.close()

    erase(house)

    assert not storage.path_of(made.id).exists()
    assert unattended() == [made.id]
    assert write_export(made.id)
    made.refresh_from_db()
    told = content(made, admin)
    assert (b"Zuri" in told, b"Amina" in told) == (True, False)


def test_a_schedule_that_looks_for_them_ends_and_another_goes_on(house: House) -> None:
    admin = factories.acting(house, "admin")
    looking, other = [
        schedule_export(asked=wanted(list_name="applicants", filters={"q": name}), every="day", actor=admin) for name in ("amina", "Zuri")
    ]

    erase(house)

    stopped = {one.id: one.stopped_at is not None for one in Schedule.objects.all()}
    assert stopped == {looking.id: True, other.id: False}
    assert filters_of(Schedule.objects.get(id=looking.id)) == {}


def test_a_backup_that_is_restored_brings_back_neither_them_nor_their_files(house: House, tmp_path: Path) -> None:
    admin = factories.acting(house, "admin")
    applications = list(Application.objects.order_by("id"))
    files = [add_file(application_id=one.id, name="slip.txt", content=b"Amina earns", actor=admin).id for one in applications]
    naming = exported(admin, wanted(with_applicants=True))
    quiet = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    call_command("backup", partner=house.slug, out=tmp_path / "copy.vouch-backup", **quiet)
    erase(house)

    call_command("restore", str(tmp_path / "copy.vouch-backup"), partner=house.slug, yes=True, **quiet)

    with tenant_context(house.partner):
        assert [Applicant.objects.get(applications=one).is_erased for one in applications] == [True, False]
        assert [place_of_file(one).exists() for one in files] == [False, True]
        assert not storage.path_of(naming.lease or naming.id).exists()


def test_a_forged_line_does_not_keep_the_true_one_from_the_ledger(house: House) -> None:
    amina = Applicant.objects.get(applications=Application.objects.order_by("id")[0])
    ledger_of(house.schema).parent.mkdir(exist_ok=True)
    ledger_of(house.schema).write_text(f'{{"applicant_id": "{amina.id}", "request": "9", "seal": "00"}}\n')

    erase(house)

    publish_erasures()
    lines = ledger_of(house.schema).read_text().splitlines()
    assert [str(amina.id) in line for line in lines] == [True, True]
