"""Pages in the reader's language: who chooses it, what follows from it, and that the API keeps its own."""

import time

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from audit.models import Event
from partners.accounts.models import User
from partners.accounts.web.told import localised, told
from partners.tenancy import tenant_context
from portal.templatetags.vouch import decimals, grouped, share
from scoring.engine.contract import Input, InputKind
from scoring.web.forms import ungrouped
from tests.conftest import PASSWORD, House


def lang_of(answer: object) -> str:
    text = answer.content.decode()  # type: ignore[attr-defined]
    return str(text.partition('<html lang="')[2].partition('"')[0])


def speaking(house: House, role: str, language: str) -> Client:
    """The person's browser, with this language chosen on the account page."""
    client = house.client(role)
    assert client.post("/language", {"language": language}).status_code == 302
    return client


# who chooses


def test_a_stranger_reads_the_browsers_language(north: House) -> None:
    expected = {"fr-CI,en;q=0.5": "fr", "sw,fr;q=0.2": "fr", "de": "en", "": "en"}

    found = {wanted: lang_of(north.client().get("/login", HTTP_ACCEPT_LANGUAGE=wanted)) for wanted in expected}

    assert found == expected


def test_the_language_of_the_person_goes_before_the_browsers(north: House) -> None:
    client = speaking(north, "officer", "fr")

    answer = client.get("/account", HTTP_ACCEPT_LANGUAGE="en")

    assert lang_of(answer) == "fr"
    assert answer["Content-Language"] == "fr"
    assert {"Accept-Language", "Cookie"} <= set(answer["Vary"].split(", "))


def test_choosing_a_language_is_recorded_once_and_kept(north: House) -> None:
    client = speaking(north, "officer", "fr")
    client.post("/language", {"language": "fr"})

    with tenant_context(north.partner):
        assert User.objects.get(id=north.users["officer"].id).language == "fr"
        said = [one.detail for one in Event.objects.filter(action="user.changed", object_id=str(north.users["officer"].id))]
    assert said == [{"language": "fr", "before": "en"}]


def test_the_choice_at_sign_in_lasts_in_that_browser(north: House) -> None:
    client = north.client()

    chosen = client.post("/language", {"language": "fr", "next": "/login?next=/decisions"}, HTTP_ACCEPT_LANGUAGE="en")

    assert chosen["Location"] == "/login?next=/decisions"
    assert lang_of(client.get("/login", HTTP_ACCEPT_LANGUAGE="en")) == "fr"
    assert lang_of(north.client().get("/login", HTTP_ACCEPT_LANGUAGE="en")) == "en"


def test_a_language_that_is_not_ours_changes_nothing(north: House) -> None:
    client = north.client("officer")

    answer = client.post("/language", {"language": "xx"})

    assert answer.status_code == 400
    assert settings.LANGUAGE_COOKIE_NAME not in answer.cookies
    with tenant_context(north.partner):
        assert User.objects.get(id=north.users["officer"].id).language == "en"


def test_the_page_after_choosing_is_one_of_ours(north: House) -> None:
    assert north.client().post("/language", {"language": "fr", "next": "https://elsewhere.example/"})["Location"] == "/"


# what follows


def test_numbers_and_shares_are_written_as_the_language_does(north: House) -> None:
    found = {}
    for language in ("en", "fr"):
        with translation.override(language):
            found[language] = (share(0.1184), grouped(1234567), decimals(-0.5, 2))

    assert found == {
        "en": ("11.8%", "1,234,567", "\N{MINUS SIGN}0.50"),
        "fr": ("11,8\N{NARROW NO-BREAK SPACE}%", "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567", "\N{MINUS SIGN}0,50"),
    }


def test_a_refusal_raised_below_is_said_in_french_with_its_values() -> None:
    with translation.override("fr"):
        found = told("Version 3 of 'market-loan' is in force already.")
        both = told("Send a whole number. A reason is a full sentence.")
        other = told("Something that nobody wrote down 3.")

    assert found == "La version 3 de «\N{NO-BREAK SPACE}market-loan\N{NO-BREAK SPACE}» est déjà en vigueur."
    assert both == "Indiquez un nombre entier. Un motif est une phrase complète."
    assert other == "Something that nobody wrote down 3."


def test_what_somebody_sent_at_length_is_not_compared_with_every_refusal() -> None:
    with translation.override("fr"):
        begun = time.process_time()
        same = told(sent := " is not a role: " * 100_000)

        assert same == sent
        assert time.process_time() - begun < 1    # it took the square of the length: minutes


def test_a_wrong_password_change_is_refused_in_french(north: House) -> None:
    client = speaking(north, "officer", "fr")

    answer = client.post("/account", {"current": "wrong", "new": PASSWORD})

    assert answer.status_code == 422
    assert "Le mot de passe actuel n’est pas correct" in answer.content.decode()


def test_an_error_page_speaks_the_persons_language(north: House) -> None:
    client = speaking(north, "viewer", "fr")

    found = [(answer.status_code, lang_of(answer)) for answer in (client.get("/nowhere"), client.get("/decisions/new"))]

    assert found == [(404, "fr"), (403, "fr")]


# the API


def test_the_api_speaks_english_after_a_french_page_of_the_same_thread(north: House) -> None:
    speaking(north, "officer", "fr").get("/account")

    assert translation.get_language() == "en"
    answer = north.api("no key").get("/api/v1/scores", HTTP_ACCEPT_LANGUAGE="fr")

    assert answer.json()["title"] == "The credential is not valid here"
    assert "Content-Language" not in answer


@pytest.mark.parametrize("host", ["elsewhere.localhost", "localhost"])
def test_a_host_of_nobody_is_told_in_the_browsers_language(db: None, host: str) -> None:
    answer = Client(HTTP_HOST=host).get("/", HTTP_ACCEPT_LANGUAGE="fr")

    assert (answer.status_code, lang_of(answer)) == (404, "fr")
    assert "%(domain)s" not in answer.content.decode()


def test_numbers_typed_in_french_are_read_as_french_and_never_a_thousandfold(north: House) -> None:
    amount = Input(name="amount", kind=InputKind.NUMBER)
    typed = ("60,5", "1 234,5", "60 000", "60000", "60.5", "60,000")

    with translation.override("fr"):
        french = [ungrouped(text, amount) for text in typed]
    with translation.override("en"):
        english = [ungrouped(text, amount) for text in typed]

    assert french == ["60.5", "1234.5", "60000", "60000", "60.5", "60,000"]
    assert english == ["60,5", "1 234,5", "60000", "60000", "60.5", "60000"]


def test_numbers_in_a_refusal_are_written_as_the_language_does() -> None:
    with translation.override("fr"):
        found = told("Send a number from 0 to 10,000; check the unit (KES).")

    assert found == "Indiquez un nombre de 0 à 10\N{NO-BREAK SPACE}000\N{NARROW NO-BREAK SPACE}; vérifiez l’unité (KES)."


@pytest.mark.parametrize("text", ["2026-11-21", "v1.2.3", "1e-05", "A1", "a,b", "market-loan-2"])
def test_what_only_looks_like_a_number_stays_as_it_is(text: str) -> None:
    with translation.override("fr"):
        assert localised(text) == text
