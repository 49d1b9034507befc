"""Replay: every stored decision comes out again bit for bit, and whatever does not is named."""

import io
import json
from collections.abc import Callable

import msgspec
import pytest
from django.core.management import call_command

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from audit.vault import keyring
from partners.tenancy import tenant_context
from scoring.applicants import key_of
from scoring.decided import Decided
from scoring.models import Applicant, Channel, Decision, ModelVersion
from scoring.sealed import open_content, seal_content
from scoring.services.products import change_product
from scoring.services.replay import Replay, replay_decisions
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import SLUG, a_definition, add_product, an_item, by_force, by_key, put_in_force

Partners = Callable[..., House]


@pytest.fixture
def house(new_partner: Partners) -> House:
    """A partner whose rules, first and second model each decided about a few applicants."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        decide(3)
        put_in_force(1)
        decide(4)
        put_in_force(2)
        decide(5, language="fr")
    return house


def decide(count: int, language: str = "en") -> list[Decided]:
    first = Decision.objects.count()
    items = [
        an_item(
            f"A-{number}",
            income=0.1 + 170.3 * number,
            months=None if number % 3 == 0 else number,
            trade=None if number % 4 == 0 else "cloth",
        )
        for number in range(first, first + count)
    ]
    return score_applicants(product_slug=SLUG, items=items, actor=by_key(), channel=Channel.API, language=language)


def replayed(sample: int | None = None) -> Replay:
    return list(replay_decisions(sample=sample))[-1]


def test_decisions_of_rules_and_of_every_version_come_out_again(house: House) -> None:
    with tenant_context(house.partner):
        found = replayed()

        assert (found.checked, found.identical, found.erased, found.differences) == (12, 12, [], [])
        assert found.holds


def test_rules_are_replayed_as_they_were_then(new_partner: Partners) -> None:
    with tenant_context(new_partner().partner):
        add_product()
        decide(2)
        definition = a_definition()
        change_product(
            definition=type(definition).from_dict({**definition.to_dict(), "rules": {"base_probability": 0.5, "rules": []}}), actor=SYSTEM
        )
        decide(2)

        assert replayed().identical == 4


def test_a_sample_is_as_large_as_asked(house: House) -> None:
    with tenant_context(house.partner):
        assert replayed(sample=5).checked == 5
        assert replayed(sample=500).checked == 12


def test_an_erased_applicants_decision_is_named_and_no_fault(house: House) -> None:
    with tenant_context(house.partner):
        decision = Decision.objects.order_by("id").first()
        assert decision is not None
        columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
        Applicant.objects.filter(id=decision.applicant_id).update(**dict.fromkeys(columns))

        found = replayed()

        assert (found.erased, found.identical, found.holds) == ([decision.id], 11, True)


@pytest.mark.parametrize(
    ("column", "value"),
    [("probability", "probability * (1 + 1e-15)"), ("score", "score + 1"), ("outcome", "'refer'"), ("band", "'MEDIUM'")],
)
def test_a_changed_column_is_named(house: House, column: str, value: str) -> None:
    with tenant_context(house.partner):
        changed = Decision.objects.exclude(**({column: value.strip("'")} if "'" in value else {})).order_by("id").last()
        assert changed is not None
        by_force(house, "scoring_decision", f"UPDATE scoring_decision SET {column} = {value} WHERE id = %s", changed.id)

        found = replayed()

        assert [(one.decision_id, one.what) for one in found.differences] == [(changed.id, "record"), (changed.id, column)]
        assert found.identical == 11


def test_a_changed_content_is_named_down_to_the_contribution(house: House) -> None:
    with tenant_context(house.partner):
        ring = keyring()
        decision = Decision.objects.select_related("applicant").order_by("id").last()
        assert decision is not None
        key = key_of(ring, decision.applicant)
        assert key is not None
        content = open_content(ring, key, decision)
        other = msgspec.structs.replace(content, contributions={**content.contributions, "income": content.contributions["income"] + 1e-15})
        by_force(
            house,
            "scoring_decision",
            "UPDATE scoring_decision SET sealed = %s WHERE id = %s",
            seal_content(ring, key, decision.id, other),
            decision.id,
        )

        assert {one.what for one in replayed().differences} == {"record", "contribution of income"}


def test_a_content_moved_from_another_decision_is_named(house: House) -> None:
    with tenant_context(house.partner):
        one, other = Decision.objects.order_by("id")[:2]
        by_force(house, "scoring_decision", "UPDATE scoring_decision SET sealed = %s WHERE id = %s", bytes(other.sealed), one.id)

        assert {difference.what for difference in replayed().differences} == {"record", "seal_broken"}


@pytest.mark.parametrize("change", ["set_byte(bundle, 500, get_byte(bundle, 500) # 1)", "bundle"])
def test_a_changed_bundle_is_named_for_each_of_its_decisions(house: House, change: str) -> None:
    with tenant_context(house.partner):
        version = ModelVersion.objects.get(version=1)
        digest = "bundle_sha256" if change != "bundle" else "sha256('x')"
        by_force(
            house,
            "scoring_modelversion",
            f"UPDATE scoring_modelversion SET bundle = {change}, bundle_sha256 = {digest} WHERE id = %s",
            version.id,
        )

        found = replayed()

        assert [one.what for one in found.differences] == ["bundle_refused"] * 4
        assert found.identical == 8


def test_a_changed_policy_is_noticed(house: House) -> None:
    with tenant_context(house.partner):
        by_force(
            house,
            "scoring_policy",
            """UPDATE scoring_policy SET definition = definition || '{"approve_from": 850, "decline_below": 849}'""",
        )

        assert "outcome" in {one.what for one in replayed().differences}


def test_the_command_prints_one_object_and_records_the_replay(house: House) -> None:
    out = io.StringIO()

    call_command("replay", house.slug, "--json", "--sample", "6", stdout=out, stderr=io.StringIO())

    said = json.loads(out.getvalue())
    assert (said["checked"], said["identical"], said["holds"], said["differences"]) == (6, 6, True, [])
    with tenant_context(house.partner):
        event = Event.objects.get(action=Action.DECISIONS_REPLAYED)
        assert event.detail == {"checked": 6, "identical": 6, "erased": 0, "differences": 0}


def test_the_command_ends_with_1_and_names_what_differs(house: House) -> None:
    with tenant_context(house.partner):
        changed = Decision.objects.order_by("id").last()
        assert changed is not None
        by_force(house, "scoring_decision", "UPDATE scoring_decision SET score = score - 1 WHERE id = %s", changed.id)
    out = io.StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("replay", house.slug, stdout=out, stderr=io.StringIO())

    assert end.value.code == 1
    assert f"{changed.id}: score was {changed.score - 1}, is {changed.score}" in out.getvalue()


def test_a_partner_without_decisions_replays_to_nothing(new_partner: Partners) -> None:
    with tenant_context(new_partner().partner):
        assert (replayed().checked, replayed().holds) == (0, True)
