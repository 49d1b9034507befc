"""Files on applications: what is kept, what is refused, who reads it, and that nothing of it lies open."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from audit.context import SYSTEM
from audit.errors import SealBroken
from audit.models import Event
from audit.privacy.holders import Subject
from audit.privacy.ledger import Under, entomb, forget_erased
from partners.tenancy import tenant_context
from portal.approvals.errors import FileMissing, FileRefused, PersonNeeded
from portal.approvals.models import Application, ApplicationFile
from portal.approvals.sealed import open_text
from portal.approvals.services import files as service
from portal.approvals.services.files import LARGEST, add_file, path_of, read_file, remove_content
from portal.approvals.services.queue import tag_application
from portal.approvals.services.work import write_note
from scoring.errors import ApplicantErased
from tests.approvals.factories import REFERS, acting, add_product, asked, receive
from tests.conftest import House

PDF, PNG, JPEG, TEXT = b"%PDF-1.7\ncanary", b"\x89PNG\r\n\x1a\ncanary", b"\xff\xd8\xffcanary", "canary: café".encode()
GOOD = {"a.pdf": PDF, "b.PNG": PNG, "c.jpg": JPEG, "d.jpeg": JPEG, "e.txt": TEXT}


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product whose decisions are all referred."""
    add_product(REFERS)
    return in_north


def kept(one: Application, house: House, name: str = "a.pdf", content: bytes = PDF) -> ApplicationFile:
    return add_file(application_id=one.id, name=name, content=content, actor=acting(house, "officer"))


@pytest.mark.parametrize("name", GOOD)
def test_what_is_kept_comes_back_and_both_are_recorded(shop: House, name: str) -> None:
    one = receive()

    made = kept(one, shop, name, GOOD[name])
    found = read_file(application_id=one.id, file_id=made.id, actor=acting(shop, "compliance"))

    assert (found.name, found.content) == (name, GOOD[name])
    assert list(Event.objects.filter(action__startswith="application.file").order_by("id").values_list("action", flat=True)) == [
        "application.file_added", "application.file_read",
    ]  # fmt: skip


def test_nothing_of_a_file_lies_open(shop: House) -> None:
    made = kept(receive(), shop, "canary.pdf")

    place = path_of(made.id)
    assert b"canary" not in place.read_bytes()
    assert (place.stat().st_mode & 0o777, shop.schema in place.parts) == (0o600, True)
    assert Path(settings.VOUCH_HOME) in place.parents
    told = repr(list(ApplicationFile.objects.values())) + repr(list(Event.objects.values()))
    assert "canary" not in told


BAD = {
    "a.exe": PDF, "a": PDF, ".pdf": PDF, "a.pdf": PNG, "a.png": JPEG, "a.jpg": PDF, "a.txt": b"\xff\xfe", "b.txt": b"a\x00b", "c.txt": PDF,
    "d.pdf": b"", "e.html": b"<html>", "a.svg": b"<svg/>", "a.pdf.exe": PDF, "a.png ": b"x",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_what_it_says_is_refused(shop: House, name: str) -> None:
    one = receive()

    with pytest.raises(FileRefused):
        kept(one, shop, name, BAD[name])

    assert not ApplicationFile.objects.exists()


def test_a_file_may_be_as_large_as_it_says_and_no_larger(shop: House) -> None:
    one = receive()

    assert kept(one, shop, "a.pdf", PDF.ljust(LARGEST, b"x")).size_bytes == LARGEST
    with pytest.raises(FileRefused, match="10 MB"):
        kept(one, shop, "a.pdf", PDF.ljust(LARGEST + 1, b"x"))


@pytest.mark.parametrize(
    ("given", "name"),
    [("../../etc/passwd.txt", "passwd.txt"), ("C:\\secret\\a.txt", "a.txt"), ("a\u202etxt.exe.txt", "atxt.exe.txt"),
     ("a\r\nb.txt", "ab.txt")],
)  # fmt: skip
def test_a_name_leads_nowhere_and_hides_nothing(shop: House, given: str, name: str) -> None:
    one = receive()

    made = kept(one, shop, given, TEXT)

    assert read_file(application_id=one.id, file_id=made.id, actor=acting(shop, "officer")).name == name


def test_a_file_that_was_changed_or_exchanged_on_the_disk_is_not_given(shop: House) -> None:
    one = receive()
    first, second = kept(one, shop), kept(one, shop, "b.pdf", PDF + b"2")
    path_of(first.id).write_bytes(path_of(second.id).read_bytes())

    with pytest.raises(SealBroken):
        read_file(application_id=one.id, file_id=first.id, actor=acting(shop, "officer"))
    path_of(second.id).unlink()
    with pytest.raises(FileMissing):
        read_file(application_id=one.id, file_id=second.id, actor=acting(shop, "officer"))


def test_a_file_belongs_to_its_application(shop: House) -> None:
    one, other = receive(), receive()
    made = kept(one, shop)

    with pytest.raises(FileMissing):
        read_file(application_id=other.id, file_id=made.id, actor=acting(shop, "officer"))


def test_an_erased_applicants_files_open_no_more(shop: House) -> None:
    one = receive()
    made = kept(one, shop)

    other = kept(receive(asked(5_000_000, "R-9")), shop)
    officer = acting(shop, "officer")
    write_note(application_id=one.id, text="Called her brother.", actor=officer)
    tag_application(application_id=one.id, tags=["her-brother"], actor=officer)

    assert one.applicant_id is not None
    with transaction.atomic():
        entomb([Subject(one.applicant_id)], under=Under(request=1), actor=SYSTEM)
    forget_erased()    # a test's own transaction does not end
    assert remove_content(one.applicant_id) == 0
    assert not path_of(made.id).exists()
    assert path_of(other.id).exists()
    with pytest.raises(ApplicantErased):
        kept(one, shop)
    left = Application.objects.select_related("applicant").get(id=one.id)
    assert left.tags == []
    assert [open_text(left, note) for note in left.notes.all()] == [None]
    assert list(path_of(uuid.uuid4()).parent.parent.rglob(f"{made.id}*")) == []


def test_what_cannot_be_recorded_leaves_no_file(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = receive()
    before = {place for place in Path(settings.VOUCH_HOME, "files").rglob("*") if place.is_file()}

    def fails(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(service, "tell", fails)
    with pytest.raises(RuntimeError):
        kept(one, shop)

    assert {place for place in Path(settings.VOUCH_HOME, "files").rglob("*") if place.is_file()} == before
    assert not ApplicationFile.objects.exists()


def test_only_who_decides_adds_and_only_who_knows_applicants_reads(shop: House) -> None:
    one = receive()
    made = kept(one, shop)

    with pytest.raises(PersonNeeded):
        add_file(application_id=one.id, name="a.pdf", content=PDF, actor=acting(shop, "analyst"))
    with pytest.raises(PersonNeeded):
        read_file(application_id=one.id, file_id=made.id, actor=acting(shop, "viewer"))
    assert not Event.objects.filter(action="application.file_read").exists()


# ---- over HTTP


def send(house: House, one: Application, file: Any, role: str = "officer") -> Any:
    with tenant_context(house.partner):
        return house.client(role).post(f"/applications/{one.number}/files", {"file": file} if file else {})


def test_a_file_is_brought_and_given_back_as_an_attachment(shop: House) -> None:
    one = receive()

    answer = send(shop, one, SimpleUploadedFile("Relevé de mars.txt", TEXT))
    made = ApplicationFile.objects.get()
    with tenant_context(shop.partner):
        back = shop.client("officer").get(f"/applications/{one.number}/files/{made.id}")

    assert answer["Location"] == f"/applications/{one.number}"
    assert back.content == TEXT
    assert back["Content-Type"] == "text/plain; charset=utf-8"
    assert back["Content-Disposition"].startswith("attachment; filename*=utf-8''Relev%C3%A9%20de%20mars.txt")
    assert (back["X-Content-Type-Options"], back["Cache-Control"]) == ("nosniff", "no-store")
    assert "sandbox" in back["Content-Security-Policy"]


def test_what_is_not_kept_is_told(shop: House) -> None:
    one = receive()

    large = send(shop, one, SimpleUploadedFile("a.pdf", PDF.ljust(LARGEST + 100_000, b"x")))
    none = send(shop, one, None)
    wrong = send(shop, one, SimpleUploadedFile("a.pdf", PNG))

    assert [answer.status_code for answer in (large, none, wrong)] == [422, 422, 422]
    assert "10 MB" in large.content.decode()
    assert not ApplicationFile.objects.exists()


def test_a_file_without_the_forms_token_is_refused(shop: House) -> None:
    one = receive()
    client = shop.client("officer")
    client.handler.enforce_csrf_checks = True

    with tenant_context(shop.partner):
        answer = client.post(f"/applications/{one.number}/files", {"file": SimpleUploadedFile("a.pdf", PDF)})

    assert answer.status_code == 403
    assert not ApplicationFile.objects.exists()


def test_another_partners_file_is_not_there(north: House, south: House) -> None:
    with tenant_context(south.partner):
        add_product(REFERS)
        one = receive()
        made = kept(one, south)

    assert north.client("admin").get(f"/applications/{one.number}/files/{made.id}").status_code == 404
