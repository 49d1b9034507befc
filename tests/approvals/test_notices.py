"""Letters: specific reasons in the applicant's language, a clock, and each one kept as it was sent."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from audit.models import Event
from partners.tenancy import as_owner
from portal.approvals.errors import NoticeNotDue, NoticeRefused, NoticeSent, NoticeSettingsMissing, NoticeSettingsRefused, PersonNeeded
from portal.approvals.letters import letter_of, letter_pdf
from portal.approvals.models import Application, Notice, NoticeSettings
from portal.approvals.sealed import open_letter
from portal.approvals.selectors.notices import notices_due
from portal.approvals.services.decisions import agree_to_proposal, decide_application
from portal.approvals.services.moves import Why
from portal.approvals.services.notices import change_notice_settings, send_notice
from portal.approvals.services.sweeps import expire_applications
from portal.approvals.transitions import MoveName
from scoring.errors import ApplicantErased
from scoring.models import Applicant
from scoring.selectors import decision_explanation
from tests.approvals.factories import APPROVES, DECLINES, REFERS, Browser, acting, add_product, another, asked, receive
from tests.conftest import House
from tests.scoring.factories import by_key, put_in_force

SAID = {
    "sender": "Umoja *Lending* #Ltd", "address": "Kimathi Street 12\nNairobi", "email": "ask@umoja.example", "phone": "0800 555 010",
    "authority": "Data Protection Commissioner, Nairobi",
}  # fmt: skip
NAME = 'Zuri #pagebreak() $x$ *Ali* "Wambui"'


def settle(texts: dict[str, dict[str, str]] | None = None, **changed: str) -> NoticeSettings:
    return change_notice_settings(said={**SAID, **changed}, reason_texts=texts or {}, actor=by_key())


def fresh(one: Application) -> Application:
    return Application.objects.select_related("applicant", "product").get(id=one.id)


def decline(one: Application, house: House, code: str = "as_reasoned") -> Application:
    decide_application(application_id=one.id, move=MoveName.DECLINE, why=Why(code), actor=acting(house, "officer"), revision=one.revision)
    return fresh(one)


@pytest.fixture
def declined(in_north: House) -> Application:
    """An application in French that a person declined, with settings of letters."""
    add_product(REFERS)
    settle()
    what = asked(name=NAME)
    one = receive(type(what)(**{**{name: getattr(what, name) for name in what.__dataclass_fields__}, "language": "fr"}))
    return decline(one, in_north)


def test_the_letter_is_in_the_applicants_language_and_says_whom_to_ask(declined: Application) -> None:
    letter = letter_of(declined)

    assert letter.language == "fr"
    assert letter.title == "Nous ne pouvons pas vous prêter KES\N{NO-BREAK SPACE}60\N{NO-BREAK SPACE}000"
    assert letter.recipient[0] == NAME
    assert declined.number in letter.recipient[1]
    assert letter.reasons
    assert "ask@umoja.example ou appelez le 0800 555 010" in letter.rights[0]
    assert letter.rights[1].endswith("Data Protection Commissioner, Nairobi")
    assert letter_of(declined, language="en").title == "We cannot lend you KES\N{NO-BREAK SPACE}60,000"


def test_a_models_reasons_are_told_with_you_and_its_score_with_the_scale(in_north: House) -> None:
    add_product(REFERS)
    put_in_force()
    settle()
    one = decline(receive(asked(name="Zuri Ali")), in_north)

    letter = letter_of(one, language="en")

    assert 1 <= len(letter.reasons) <= 4
    assert all("you" in reason.lower() for reason in letter.reasons)
    assert dict(letter.facts)["Score"].endswith("on a scale from 300 to 850; higher is better")
    assert set(dict(letter.facts)) == {"Score", "Made on", "What counted most"}


def test_a_french_letter_writes_numbers_as_french_does(in_north: House) -> None:
    add_product(REFERS)
    put_in_force(3)
    settle()
    one = decline(receive(asked(income=1111.5, amount=900_000.0)), in_north)

    reasons = letter_of(one, language="fr").reasons

    assert "1,112" in " ".join(letter_of(one, language="en").reasons)
    assert not [text for text in reasons if re.search(r"\d,\d{3}", text)]
    assert any(re.search("1\N{NARROW NO-BREAK SPACE}112|1\N{NO-BREAK SPACE}112", text) for text in reasons)


def test_a_partners_own_sentence_is_used_and_a_vague_one_refused(in_north: House) -> None:
    add_product(REFERS)
    put_in_force()
    settle()
    one = decline(receive(), in_north)
    code = _codes(one)[0]

    settle({code: {"en": "You told us {value}, and {usual} is usual here."}})
    assert letter_of(one, language="en").reasons[0].startswith("You told us ")
    with pytest.raises(NoticeSettingsRefused) as refused:
        settle({code: {"en": "Your credit score is too low for us."}})

    assert "tells the applicant nothing" in refused.value.fields["reason_texts"]
    assert NoticeSettings.objects.count() == 2


def _codes(one: Application) -> list[str]:
    assert one.decision_id is not None
    found = decision_explanation(one.decision_id)
    assert found is not None
    return [reason.code for reason in found.reasons]


def test_who_decides_against_the_model_gives_their_own_reason_and_not_its(in_north: House) -> None:
    add_product(APPROVES)
    put_in_force()
    settle()
    one = receive(asked(amount_minor=100))
    Application.objects.filter(id=one.id).update(state="in_review", outcome="approve", decided_at=None)
    officer, approver = acting(in_north, "officer"), another("approver")
    decide_application(application_id=one.id, move=MoveName.DECLINE, why=Why("documents_in_doubt"), actor=officer)
    agree_to_proposal(application_id=one.id, actor=approver)

    letter = letter_of(fresh(one), language="en")

    assert letter.reasons == ["Documents could not be confirmed."]
    assert letter.facts == []
    assert letter.changes == []


def test_a_counter_offer_has_a_letter_that_says_until_when_it_stands(in_north: House) -> None:
    add_product(REFERS)
    settle()
    one = receive()
    officer = acting(in_north, "officer")
    decide_application(application_id=one.id, move=MoveName.COUNTER_OFFER, why=Why("amount_too_high"), actor=officer,
                       offered_minor=4_500_050)  # fmt: skip

    letter = letter_of(fresh(one), language="en")

    assert letter.title == "We can offer you KES\N{NO-BREAK SPACE}45,000.50 instead of KES\N{NO-BREAK SPACE}60,000"
    assert letter.accept.startswith("The offer stands until ")


def test_the_file_holds_words_and_never_reads_them_as_markup(declined: Application) -> None:
    letter = letter_of(declined)

    made = letter_pdf(letter)

    assert made.startswith(b"%PDF-")
    assert made == letter_pdf(letter)
    assert b"pdfuaid" in made    # it claims that it can be read aloud
    assert made.count(b"/Type /Page\n") + made.count(b"/Type/Page\n") <= 2


def test_marking_as_sent_keeps_the_letter_sealed_and_stops_the_clock(in_north: House, declined: Application) -> None:
    before = letter_of(declined)
    assert [one.number for one in notices_due().applications] == [declined.number]

    sent = send_notice(application_id=declined.id, way="sms", language=None, actor=acting(in_north, "officer"))
    settle(sender="Another Name")

    kept = open_letter(fresh(declined), Notice.objects.get())
    assert kept.letter["sender"][0] == SAID["sender"]
    assert kept.letter["title"] == before.title
    assert kept.pdf == letter_pdf(before)
    assert before.title.encode() not in bytes(Notice.objects.get().sealed_letter)
    assert notices_due().applications == []
    event = Event.objects.get(action="notice.sent")
    assert (event.object_id, event.detail["way"], event.detail["language"]) == (str(declined.id), "sms", "fr")
    assert sent.sent_by_id == in_north.users["officer"].id
    with pytest.raises(NoticeSent):
        send_notice(application_id=declined.id, way="post", language=None, actor=acting(in_north, "officer"))
    assert Notice.objects.count() == 1


def test_a_second_decision_needs_a_second_letter(in_north: House, declined: Application) -> None:
    officer = acting(in_north, "officer")
    send_notice(application_id=declined.id, way="post", language="en", actor=officer)

    decide_application(application_id=declined.id, move=MoveName.RECONSIDER, why=Why("reopened"), actor=officer)
    assert notices_due().applications == []
    decline(fresh(declined), in_north)
    assert [one.id for one in notices_due().applications] == [declined.id]
    send_notice(application_id=declined.id, way="hand", language="en", actor=officer)

    assert Notice.objects.filter(application=declined).count() == 2


def test_what_was_sent_can_be_changed_by_nobody(in_north: House, declined: Application) -> None:
    send_notice(application_id=declined.id, way="post", language=None, actor=acting(in_north, "officer"))

    for table in ("approvals_notice", "approvals_noticesettings"):
        model: Any = Notice if table == "approvals_notice" else NoticeSettings
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all()._raw_delete("default")
        with pytest.raises(DatabaseError), as_owner(in_north.schema), transaction.atomic():
            model.objects.all()._raw_delete("default")


@pytest.mark.parametrize(("cut_offs", "is_owed"), [(APPROVES, False), (DECLINES, True), (REFERS, False)])
def test_only_a_decline_is_owed_a_letter_whoever_declined(in_north: House, cut_offs: tuple[int, int], is_owed: bool) -> None:
    add_product(cut_offs)
    settle()
    one = receive()

    assert [row.id for row in notices_due().applications] == ([one.id] if is_owed else [])
    if not is_owed:
        with pytest.raises(NoticeNotDue):
            letter_of(fresh(one))


def test_nothing_is_written_in_nobodys_name(in_north: House) -> None:
    add_product(DECLINES)
    one = fresh(receive())

    with pytest.raises(NoticeSettingsMissing):
        letter_of(one)
    with pytest.raises(NoticeSettingsMissing):
        send_notice(application_id=one.id, way="post", language=None, actor=acting(in_north, "officer"))
    assert fresh(one).notice_sent_at is None


def test_who_may_not_decide_marks_nothing_and_the_way_must_be_known(in_north: House, declined: Application) -> None:
    with pytest.raises(PersonNeeded):
        send_notice(application_id=declined.id, way="post", language=None, actor=acting(in_north, "compliance"))
    with pytest.raises(NoticeRefused):
        send_notice(application_id=declined.id, way="pigeon", language=None, actor=acting(in_north, "officer"))

    assert not Notice.objects.exists()


def test_an_erased_applicants_letter_is_gone_too(in_north: House, declined: Application) -> None:
    send_notice(application_id=declined.id, way="post", language=None, actor=acting(in_north, "officer"))
    assert declined.applicant is not None
    Applicant.objects.filter(id=declined.applicant.id).update(
        data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None
    )

    with pytest.raises(ApplicantErased):
        open_letter(fresh(declined), Notice.objects.get())
    answer = Browser(in_north, "officer").get(f"/applications/{declined.number}/letter")
    assert answer.status_code == 409
    assert "The applicant was erased" in answer.content.decode()


def test_the_list_goes_by_urgency_and_on_where_it_ended(in_north: House) -> None:
    add_product(DECLINES)
    made = [receive() for _ in range(5)]
    for days, one in zip((4, 1, 3, 1, 2), made, strict=True):
        Application.objects.filter(id=one.id).update(notice_due_at=datetime(2030, 1, days, tzinfo=UTC))

    first = notices_due(limit=2)
    second = notices_due(limit=2, cursor=first.next_cursor)
    third = notices_due(limit=2, cursor=second.next_cursor)

    found = [one.id for part in (first, second, third) for one in part.applications]
    assert found == [made[at].id for at in (1, 3, 4, 2, 0)]
    assert third.next_cursor is None


def test_the_clock_starts_with_the_application(in_north: House) -> None:
    add_product(DECLINES)
    one = receive()

    assert one.notice_due_at == one.created_at + timedelta(days=30)
    assert expire_applications() == 0


def test_the_settings_page_keeps_what_was_typed_and_says_what_is_wrong(in_north: House) -> None:
    analyst = Browser(in_north, "analyst")
    rows = {"reason_code": ["amount.high", ""], "reason_language": ["en", "fr"], "reason_text": ["Insufficient income.", ""]}

    refused = analyst.post("/applications/notices/settings", {**SAID, "email": "nobody", **rows})
    assert refused.status_code == 422
    text = refused.content.decode()
    assert "Write an address such as ask@example.org." in text
    assert "tells the applicant nothing" in text
    assert 'value="Insufficient income."' in text
    assert not NoticeSettings.objects.exists()

    rows["reason_text"][0] = "You asked for {value}; {usual} or less is usual."
    stored = analyst.post("/applications/notices/settings", {**SAID, **rows})
    assert stored.status_code == 302
    found = NoticeSettings.objects.get()
    assert (found.version, found.sender, found.reason_texts["amount.high"]["en"]) == (1, SAID["sender"], rows["reason_text"][0])
    assert Event.objects.get(action="notice_settings.changed").detail["version"] == 1


def test_the_page_and_the_file_are_the_letter_as_it_was_sent(in_north: House, declined: Application) -> None:
    officer, address = Browser(in_north, "officer"), f"/applications/{declined.number}/letter"

    assert "Nous ne pouvons pas" in officer.get(address).content.decode()
    assert "We cannot lend you" in officer.get(f"{address}?language=en").content.decode()
    unsaid = officer.post(address, {"language": "en", "way": ""})
    sent = officer.post(address, {"language": "en", "way": "email"})
    settle(sender="Another Name")

    assert (unsaid.status_code, sent.status_code, sent["Location"]) == (422, 302, "/applications/notices")
    page, file = officer.get(f"{address}?language=fr"), officer.get(f"{address}.pdf?language=fr")
    assert "We cannot lend you" in page.content.decode()
    assert "Another Name" not in page.content.decode()
    assert file["Content-Type"] == "application/pdf"
    assert file.content == open_letter(fresh(declined), Notice.objects.get()).pdf


def test_compliance_reads_letters_and_sends_none(in_north: House, declined: Application) -> None:
    compliance, address = Browser(in_north, "compliance"), f"/applications/{declined.number}/letter"

    assert "Mark as sent" not in compliance.get(address).content.decode()
    assert compliance.post(address, {"way": "post"}).status_code == 403
    assert Browser(in_north, "viewer").get(address).status_code == 403
    assert declined.number in compliance.get("/applications/notices").content.decode()
    here = re.findall(r'<a href="([^"]*)" aria-current="page"', Browser(in_north, "officer").get("/applications/notices").content.decode())
    assert set(here) == {"/applications/notices"}
