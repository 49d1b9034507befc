"""The desk through HTTP: an application is decided on its page, the next one opens, and nothing that was typed is lost."""

import re
import uuid
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from partners.accounts.models import User
from portal.approvals import selectors
from portal.approvals.models import Application, Review, SecondOpinion
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.services.work import next_in_queue, take_next_application
from portal.approvals.transitions import MoveName
from scoring import registry
from scoring import selectors as scores
from scoring.models import Applicant
from tests.approvals.factories import APPROVES, REFERS, WHY, Browser, acting, add_product, another, asked, receive
from tests.conftest import House
from tests.scoring.factories import SLUG, by_force, by_key, put_in_force


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product whose decisions are all referred."""
    add_product(REFERS)
    return in_north


def page(one: Application) -> str:
    return f"/applications/{one.number}"


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def send(client: Browser, one: Application, **typed: str) -> Any:
    """The form, as it stands at this revision unless another one is given."""
    data = {"act": "decide", "revision": str(one.revision), "note": "", **typed}
    return client.post(page(one), urlencode(data), content_type="application/x-www-form-urlencoded")


def fresh(one: Application) -> Application:
    return Application.objects.get(id=one.id)


def test_reasons_come_first_and_nothing_is_chosen(shop: House) -> None:
    one = receive(asked(reference="R-1", name="Zuri Ali"))

    answer = Browser(shop, "officer").get(page(one))

    shown = text_of(answer)
    assert "<h1>Zuri Ali asks for KES\N{NO-BREAK SPACE}60,000</h1>" in shown
    assert shown.index('id="why"') < shown.index('id="decide"') < shown.index('id="time"')
    assert not re.search(r'type="radio"[^>]*\schecked', shown)
    assert "Nobody looked" in shown
    assert fresh(one).revision == one.revision


def test_deciding_opens_the_next_in_the_queue(shop: House) -> None:
    first, second, third = receive(), receive(), receive()

    answer = send(Browser(shop, "officer"), second, choice="decline", decline_reason="as_reasoned", note="Called her.")

    assert (answer.status_code, answer["Location"]) == (302, page(third))
    assert fresh(second).state == "declined"
    review = Review.objects.get(application=second, move="decline")
    assert (review.reason_code, review.actor) == ("as_reasoned", shop.users["officer"].name)
    assert fresh(third).locked_by_id == shop.users["officer"].id
    assert fresh(first).locked_by_id is None


def test_the_next_page_says_what_was_decided_and_leads_back(shop: House) -> None:
    one, other = receive(), receive()
    client = Browser(shop, "officer")

    answer = client.post(page(one), {"act": "decide", "revision": one.revision, "choice": "approve", "approve_reason": "all_weighed"},
                         follow=True)  # fmt: skip

    assert answer.redirect_chain[0][0] == page(other)
    assert f"{one.number}: Approved." in text_of(answer)
    assert f'<a href="{page(one)}">Look at it again</a>' in text_of(answer)


def test_after_the_last_one_it_says_that_nothing_waits(shop: House) -> None:
    one = receive()

    answer = Browser(shop, "officer").post(
        page(one), {"act": "decide", "revision": one.revision, "choice": "ask", "ask_reason": "income_proof"}, follow=True
    )

    assert "Nothing else waits for you." in text_of(answer)
    assert fresh(one).state == "needs_information"


def test_a_counter_offer_is_read_as_people_write_it(shop: House) -> None:
    one = receive()

    send(Browser(shop, "officer"), one, choice="counter", offer="45 000", counter_reason="amount_too_high")

    assert (fresh(one).state, fresh(one).offered_minor) == ("counter_offered", 4_500_000)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Choose one of the answers first."),
        ({"choice": "counter", "offer": "lots", "counter_reason": "amount_too_high"}, "Send the amount"),
        ({"choice": "counter", "offer": "", "counter_reason": "amount_too_high"}, "Write the amount you offer in figures"),
        ({"choice": "counter", "offer": "99999999", "counter_reason": "amount_too_high"}, "Offer at most what was asked for"),
        ({"choice": "decline", "decline_reason": "Ünsinn"}, "Send a reason code"),
        ({"choice": "decline", "decline_reason": "as_reasoned", "revision": "x"}, "Load the page again"),
        ({"act": "erase_everything"}, "Choose one of the answers first."),
        ({"act": "move", "move": "take"}, "Choose what happened."),
    ],
)
def test_what_cannot_be_used_is_told_and_kept(shop: House, typed: dict[str, str], said: str) -> None:
    one = receive()

    answer = send(Browser(shop, "officer"), one, **{"note": "I had <b>typed</b> this.", **typed})

    assert answer.status_code == 422
    assert said in text_of(answer)
    assert "I had <b>typed</b> this.</textarea>" in text_of(answer)
    assert b"<b>typed" not in answer.content
    assert (fresh(one).state, fresh(one).revision) == (one.state, one.revision)


def test_who_comes_second_sees_who_was_first_and_keeps_the_note(shop: House) -> None:
    one = receive()
    approver = acting(shop, "approver")
    decide_application(application_id=one.id, move=MoveName.DECLINE, why=WHY, actor=approver, revision=one.revision)

    answer = send(Browser(shop, "officer"), one, choice="approve", approve_reason="all_weighed", note="Saw the order book.")

    assert answer.status_code == 409
    assert f"{approver.label} was first, at " in text_of(answer)
    assert "The application is now: Declined." in text_of(answer)
    assert "Saw the order book." in text_of(answer)
    assert fresh(one).state == "declined"


def test_what_somebody_else_has_open_offers_no_choice(shop: House) -> None:
    one = receive()
    taken = take_next_application(actor=acting(shop, "approver"))
    assert taken == one

    client = Browser(shop, "officer")
    looked = client.get(page(one))
    sent = send(client, fresh(one), choice="approve", approve_reason="all_weighed")

    assert f"{shop.users['approver'].name} has it open" in text_of(looked)
    assert 'value="approve"' not in text_of(looked)
    assert sent.status_code == 409
    assert fresh(one).state == "in_review"


def test_it_says_before_sending_that_a_second_person_is_needed(in_north: House) -> None:
    add_product(APPROVES)
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 5_000_000})
    one = receive()

    shown = text_of(Browser(in_north, "officer").get(page(one)))

    approve = shown[shown.index("v-when for-approve") : shown.index("v-when for-counter")]
    decline = shown[shown.index("v-when for-decline") : shown.index("v-when for-ask")]
    assert "A second person must agree. KES\N{NO-BREAK SPACE}60,000 is above the limit of KES\N{NO-BREAK SPACE}50,000" in approve
    assert "It decides otherwise than the policy." in decline
    assert '<option value="">Choose one</option>' in decline
    assert "Income was proven by documents." in decline
    assert "Propose it, open the next" in shown
    assert '<p class="v-note">The amount is above the limit.</p>' in shown    # why it came to a person, though the policy approves
    assert re.findall(r'data-key="(\w)" data-then="(\w+)"', shown) == [("o", "offer"), ("d", "decline_reason")]


def test_an_override_without_its_reason_is_not_proposed(in_north: House) -> None:
    add_product(APPROVES)
    change_approval_policy(product_slug=SLUG, actor=by_key(), four_eyes="always")
    one = receive()

    answer = send(Browser(in_north, "officer"), one, choice="decline", decline_reason="")
    other = send(Browser(in_north, "officer"), one, choice="decline", decline_reason="as_reasoned")

    assert answer.status_code == other.status_code == 422
    assert "This decides otherwise than the policy: choose why." in text_of(answer)
    assert re.search(r'<select [^>]*name="decline_reason"[^>]* aria-describedby="f-decline_reason" autofocus>', text_of(answer))
    assert not SecondOpinion.objects.exists()


@pytest.fixture
def proposed(shop: House) -> Application:
    """An application that the officer proposed to approve, with a note."""
    change_approval_policy(product_slug=SLUG, actor=by_key(), four_eyes="always")
    one = receive()
    send(Browser(shop, "officer"), one, choice="approve", approve_reason="income_proven", note="Saw the order book.")
    assert SecondOpinion.objects.filter(application=one, state="open").exists()
    return fresh(one)


def test_the_second_person_reads_the_first_ones_reason_and_finds_no_answer_chosen(shop: House, proposed: Application) -> None:
    shown = text_of(Browser(shop, "approver").get(page(proposed)))

    assert "You are the second person" in shown
    assert "Income was proven by documents." in shown
    assert "“Saw the order book.”" in shown
    assert not re.search(r'type="radio"[^>]*\schecked', shown)


def test_the_second_person_agrees_or_refuses(shop: House, proposed: Application) -> None:
    client = Browser(shop, "approver")

    nothing = send(client, proposed, act="answer", choice="decline", refusal="")
    refused = send(client, proposed, act="answer", choice="decline", refusal="not_proven", note="No stamp.")

    assert (nothing.status_code, refused.status_code) == (422, 302)
    assert fresh(proposed).state == "in_review"
    assert SecondOpinion.objects.get(application=proposed).state == "refused"


def test_agreeing_does_what_was_proposed(shop: House, proposed: Application) -> None:
    answer = send(Browser(shop, "approver"), proposed, act="answer", choice="approve")

    assert answer.status_code == 302
    assert fresh(proposed).state == "approved"
    assert "decided, " in text_of(Browser(shop, "officer").get(page(proposed)))


def test_the_proposer_sees_that_they_cannot_agree_and_may_take_it_back(shop: House) -> None:
    change_approval_policy(product_slug=SLUG, actor=by_key(), four_eyes="always")
    one = receive()
    client = Browser(shop, "approver")
    send(client, one, choice="approve", approve_reason="income_proven")

    shown = text_of(client.get(page(one)))
    agreed = send(client, fresh(one), act="answer", choice="approve")

    assert "You proposed this, so you cannot agree to it." in shown
    assert 'name="choice"' not in shown
    assert agreed.status_code == 409
    assert fresh(one).state == "in_review"
    assert send(client, fresh(one), act="retract").status_code == 302
    assert SecondOpinion.objects.get(application=one).state == "retracted"


def test_ones_own_application_is_left_to_a_colleague(shop: House) -> None:
    officer = shop.users["officer"]
    one = receive(asked(reference=officer.email))

    answer = Browser(shop, "officer").get(page(one))

    assert "Leave this to a colleague" in text_of(answer)
    assert 'name="choice"' not in text_of(answer)
    sent = send(Browser(shop, "officer"), one, choice="approve", approve_reason="all_weighed", note="Called him.")
    assert sent.status_code == 403
    assert "This application looks like your own" in text_of(sent)
    assert "“Called him.”" in text_of(sent)
    assert fresh(one).revision == 1


def test_an_application_is_not_handed_to_its_own_applicant(shop: House) -> None:
    approver = shop.users["approver"]
    one = receive(asked(reference=approver.email))

    answer = Browser(shop, "officer").post(f"{page(one)}/work", {"do": "assign", "assignee": str(approver.id), "revision": "1"})

    assert answer.status_code == 403
    assert f"{approver.name} looks like the applicant: choose somebody else." in text_of(answer)
    assert 'id="decide"' in text_of(answer)    # on the application's page
    assert fresh(one).assigned_to_id is None


def test_what_somebody_else_has_is_released_by_them_or_an_approver(shop: House) -> None:
    one = take_next_application(actor=acting(shop, "approver")) if receive() else None
    assert one is not None

    answer = Browser(shop, "officer").post(f"{page(one)}/work", {"do": "release", "revision": str(one.revision)})

    assert answer.status_code == 403
    assert "they or an approver can release it" in text_of(answer)
    assert fresh(one).assigned_to_id == shop.users["approver"].id


def test_a_viewer_sees_no_name_no_note_and_no_panel(shop: House) -> None:
    one = receive(asked(reference="R-secret", name="Zuri Ali"))
    officer = Browser(shop, "officer")
    officer.post(page(one), {"act": "note", "note_text": "She called back."})

    assert "“She called back.”" in text_of(officer.get(page(one)))
    shown = text_of(Browser(shop, "viewer").get(page(one)))
    assert all(secret not in shown for secret in ("Zuri", "R-secret", "She called back"))
    assert 'name="choice"' not in shown


def test_an_erased_applicant_can_only_be_withdrawn(shop: House) -> None:
    one = receive(asked(name="Zuri Ali"))
    assert one.applicant is not None
    Applicant.objects.filter(id=one.applicant.id).update(
        data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None
    )
    client = Browser(shop, "officer")

    shown = text_of(client.get(page(one)))
    done = send(client, one, act="move", move="withdraw")

    assert "An erased applicant asked for" in shown
    assert 'name="choice"' not in shown
    assert done.status_code == 302
    assert fresh(one).state == "withdrawn"


def test_an_offer_can_be_filled_in_by_the_address(shop: House) -> None:
    one = receive()

    shown = text_of(Browser(shop, "officer").get(f"{page(one)}?offer=45000"))
    odd = text_of(Browser(shop, "officer").get(f'{page(one)}?offer="><script>'))

    assert re.search(r'value="counter"[^>]* checked', shown)
    assert 'name="offer" inputmode="decimal" autocomplete="off" value="45000"' in shown
    assert not re.search(r'type="radio"[^>]*\schecked', odd)


def test_documents_are_listed_by_name_and_taken_on_the_page(shop: House) -> None:
    one = receive()
    client = Browser(shop, "officer")

    sent = client.post(f"{page(one)}/files", {"file": SimpleUploadedFile("statement.txt", b"May to October")})
    shown = text_of(client.get(page(one)))
    found = re.search(rf'<a href="({page(one)}/files/[0-9a-f-]+)">statement.txt</a>', shown)

    assert sent.status_code == 302
    assert found
    assert client.get(found[1]).content == b"May to October"
    assert "statement.txt" not in text_of(Browser(shop, "viewer").get(page(one)))


def test_it_is_put_off_handed_over_and_tagged_on_the_page(shop: House) -> None:
    one, approver = receive(), shop.users["approver"]
    client = Browser(shop, "officer")

    for typed in ({"do": "tags", "tags": "nairobi second-loan"}, {"do": "assign", "assignee": str(approver.id)}):
        assert client.post(f"{page(one)}/work", {"revision": str(fresh(one).revision), **typed})["Location"] == page(one)

    assert (fresh(one).tags, fresh(one).assigned_to_id) == (["nairobi", "second-loan"], approver.id)
    shown = text_of(client.get(page(one)))
    assert 'value="nairobi second-loan"' in shown
    assert f'<option value="{approver.id}" selected>{approver.name}</option>' in shown


@pytest.mark.parametrize(
    ("typed", "said", "kept"),
    [
        ({"do": "snooze", "until": "2020-01-01T09:00"}, "Choose a moment from now to 90 days ahead.", 'value="2020-01-01T09:00"'),
        ({"do": "tags", "tags": "Ä visit"}, "is no tag", 'value="Ä visit"'),
        ({"do": "assign", "assignee": str(uuid.uuid4())}, "Send the id of somebody who decides", 'aria-describedby="f-assignee"'),
        ({"do": "dance"}, "Choose what to do with the application", ""),
    ],
)
def test_what_cannot_be_done_with_it_is_told_on_its_page_with_what_was_typed(
    shop: House, typed: dict[str, str], said: str, kept: str
) -> None:
    one = receive()

    answer = Browser(shop, "officer").post(f"{page(one)}/work", {"revision": "1", **typed})

    shown = text_of(answer)
    assert answer.status_code == 422
    assert "asks for KES" in shown
    assert said in shown
    assert kept in shown
    assert fresh(one).revision == 1


def test_a_file_that_cannot_be_kept_is_told_beside_the_documents(shop: House) -> None:
    one = receive()

    answer = Browser(shop, "officer").post(f"{page(one)}/files", {"file": SimpleUploadedFile("setup.exe", b"MZ")})

    shown = text_of(answer)
    assert answer.status_code == 422
    assert "asks for KES" in shown
    assert re.search(r'id="f-file" role="alert">Bring a PDF', shown)


def test_who_comes_second_with_a_tag_sees_who_was_first(shop: House) -> None:
    one = receive()
    Browser(shop, "approver").post(f"{page(one)}/work", {"do": "tags", "tags": "visit", "revision": "1"})

    answer = Browser(shop, "officer").post(f"{page(one)}/work", {"do": "tags", "tags": "nairobi", "revision": "1"})

    assert answer.status_code == 409
    assert f"{shop.users['approver'].name} was first" in text_of(answer)
    assert fresh(one).tags == ["visit"]


def test_what_is_held_is_open_with_one_person_alone(shop: House) -> None:
    one = receive()
    client = Browser(shop, "officer")
    assert 'name="do" value="open"' in text_of(client.get(page(one)))

    answer = client.post(f"{page(one)}/work", {"do": "open"}, follow=True)

    assert "Held for you until" in text_of(answer)
    assert (fresh(one).locked_by_id, fresh(one).state) == (shop.users["officer"].id, "in_review")
    assert 'name="do" value="open"' not in text_of(answer)


def test_the_one_before_leads_back_through_the_queue(shop: House) -> None:
    first, second, third = receive(), receive(), receive()
    Application.objects.filter(id=third.id).update(due_at=None)
    client = Browser(shop, "officer")

    def before(one: Application) -> str:
        found = re.search(r'href="([^"]+)" rel="prev"', text_of(client.get(page(one))))
        return found[1] if found else ""

    assert [before(third), before(second), before(first)] == [page(second), page(first), page(third)]


@pytest.fixture
def french(in_north: House) -> Browser:
    """An officer who reads French."""
    add_product(REFERS)
    put_in_force(3)
    client = Browser(in_north, "officer")
    client.post("/language", {"language": "fr"})
    return client


def test_reasons_are_told_in_the_readers_language_with_its_numbers(in_north: House, french: Browser) -> None:
    one = receive(asked(income=1111.5, amount=900_000.0))    # asked in English, which its decision keeps
    assert one.decision_id is not None
    kept = [reason.text for reason in scores.decision_detail(one.decision_id).explanation.reasons]    # type: ignore[union-attr]
    assert any("1,112" in text for text in kept)

    for path in (page(one), f"/decisions/{one.decision_id}"):
        shown = text_of(french.get(path))
        english = text_of(Browser(in_north, "approver").get(path))

        told = re.findall(r"<li><div><p>(.+?)</p>", shown)
        assert told
        assert all(" ; " in text for text in told)
        assert not [text for text in told if re.search(r"\d,\d{3}", text)]
        assert all(text in english for text in kept)
    assert "applicants with" not in text_of(french.get("/applications"))


def test_reasons_that_what_decided_gives_no_more_are_told_as_they_were_kept(
    in_north: House, french: Browser
) -> None:
    one = receive(asked(income=200.0, amount=900_000.0))
    kept = scores.decision_detail(one.decision_id).explanation.reasons    # type: ignore[arg-type,union-attr]
    put_in_force(2)
    registry.current(SLUG)
    by_force(in_north, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = %s WHERE version = 1", b"damaged")

    shown = text_of(french.get(page(one)))

    told = re.findall(r"<li><div><p>(.+?)</p>", shown)
    assert told
    assert [text.partition(" is ")[0] for text in told] == [reason.text.partition(" is ")[0] for reason in kept]


def test_skipping_goes_on_and_comes_round(shop: House) -> None:
    first, second = receive(), receive()
    client = Browser(shop, "officer")
    take_next_application(actor=acting(shop, "officer"))

    assert client.post(page(first), {"act": "skip"})["Location"] == page(second)
    assert fresh(first).locked_by_id is None
    assert client.post(page(second), {"act": "skip"})["Location"] == page(first)
    assert Review.objects.filter(application=second).count() == 0


def test_the_queue_goes_by_urgency_and_leaves_out_what_waits_for_others(shop: House) -> None:
    later, urgent, sooner, last = receive(), receive(), receive(), receive()
    Application.objects.filter(id=urgent.id).update(priority=5)
    Application.objects.filter(id=sooner.id).update(priority=3)
    Application.objects.filter(id=later.id).update(due_at=None)
    officer = User.objects.get(id=shop.users["officer"].id)

    order, here = [], fresh(urgent)
    for _ in range(4):
        following = next_in_queue(here, officer)
        assert following is not None
        order.append(following.number)
        here = fresh(following)

    assert order == [sooner.number, last.number, later.number, urgent.number]
    take_next_application(actor=another("approver"), after=fresh(urgent))
    assert next_in_queue(fresh(urgent), officer) == last
    assert selectors.application(sooner.id).locked_by is not None


def test_another_partners_number_is_not_there(shop: House, south: House) -> None:
    one = receive()

    assert Browser(south, "admin").get(page(one)).status_code == 404
    assert Browser(shop, "officer").get(f"/applications/{one.number.lower()}").status_code == 200
