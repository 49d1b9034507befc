"""What scoring holds of an applicant: copied with the logic of each decision, corrected, erased; and how their key is changed."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from audit.errors import SealBroken
from audit.privacy.errors import PrivacyRequestRefused
from audit.privacy.holders import Holder, Keeper, Subject, hold, keep, traces_of
from audit.services import timestamp
from audit.vault import DataKey, keyring
from scoring.applicants import (
    ApplicantDetails,
    details_of,
    forget_applicant,
    key_of,
    open_profile,
    rewritten,
)
from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE, Policy
from scoring.engine.product import Product
from scoring.errors import ApplicantErased, ApplicantUnknown, DecisionAltered, ModelRefused
from scoring.makers import Makers
from scoring.models import AnsweredBy, Applicant, Consent, Decision, Outcome
from scoring.sealed import DecisionContent
from scoring.services.batches import forget_findings_about
from scoring.services.jobs import forget_results_about
from scoring.services.recourse import opened_decision
from scoring.services.told import told_to_applicant
from scoring.services.uploads import forget_uploads_about

RECTIFIABLE = ("name", "phone", "national_id", "birth_date")
_LONGEST = 200
_ERASED = dict.fromkeys(("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index"))


def register() -> None:
    """Called in AppConfig.ready()."""
    hold(Holder("scoring", copy_of, erase, forget))
    keep(Keeper(find, subject, data_key, rectify, rewrap, change_key))


# ---- who it is


def find(reference: str) -> uuid.UUID | None:
    """The id of the applicant whom the partner calls so."""
    applicant_id = keyring().applicant_id(reference)
    return applicant_id if Applicant.objects.filter(id=applicant_id).exists() else None


def subject(applicant_id: uuid.UUID) -> Subject | None:
    """The applicant as an erasure needs them; None when there is nothing to erase."""
    found = Applicant.objects.filter(id=applicant_id).first()
    if found is None or found.is_erased:
        return None
    try:
        details = details_of(keyring(), found)
    except SealBroken:    # a damaged row is erased too
        details = None
    if details is None:
        return Subject(applicant_id)
    known = tuple(one for one in (details.name, details.phone, details.national_id) if one)
    return Subject(applicant_id, details.reference, known)


def data_key(applicant_id: uuid.UUID) -> DataKey | None:
    """The key that seals what is theirs; None when they are erased or not there."""
    found = Applicant.objects.filter(id=applicant_id).first()
    return None if found is None else key_of(keyring(), found)


# ---- a copy


def copy_of(applicant_id: uuid.UUID, language: str) -> dict[str, Any]:
    """Details, consents, and every decision with its inputs, reasons and logic, in their language. Raises ApplicantUnknown, -Erased."""
    found = Applicant.objects.filter(id=applicant_id).first()
    if found is None:
        raise ApplicantUnknown
    details = details_of(keyring(), found)
    if details is None:
        raise ApplicantErased
    decisions = Decision.objects.filter(applicant=found).select_related("product", "model_version", "policy").order_by("created_at")
    with override(language):
        makers = Makers(keyring())
        return {
            "applicant": {**msgspec.to_builtins(details), "known_since": timestamp(found.created_at)},
            "consents": [
                {"about": str(one.get_kind_display()), "is_given": one.is_given, "at": timestamp(one.at), "how": str(one.get_how_display())}
                for one in Consent.objects.filter(applicant=found).order_by("at")
            ],
            "decisions": [_decision(one, language, makers) for one in decisions],
        }


def _decision(one: Decision, language: str, makers: Makers) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": str(one.id), "made_at": timestamp(one.created_at), "product": one.product.title, "score": one.score, "band": one.band,
        "outcome": str(one.get_outcome_display()), "probability": one.probability,
        "outcomes": [{"what": known.kind, "observed_on": known.observed_on.isoformat()} for known in Outcome.objects.filter(decision=one)],
    }  # fmt: skip
    try:
        decision, content = opened_decision(one.id)
        told = told_to_applicant(decision_id=one.id, language=language)
    except (DecisionAltered, ModelRefused) as refusal:    # said, rather than left out
        return {**said, "cannot_be_told": refusal.detail}
    product = Product.from_dict(decision.product.definition)
    spoken = product.spoken(language)
    labels = {name.name: name.title for name in spoken.contract.inputs}
    said["inputs"] = [{"name": name, "label": labels.get(name, name), "value": value} for name, value in content.inputs.items()]
    said["reasons"] = [reason.text for reason in told.reasons]
    said["what_would_change_it"] = [one.text for one in told.recourse.alternatives] if told.recourse else []
    said["logic"] = _logic(one, content, product, language, makers.policy(one.policy_id))
    return said


def _logic(one: Decision, content: DecisionContent, product: Product, language: str, policy: Policy) -> dict[str, Any]:
    """The procedure and the principles that were really applied, with what each factor did."""
    labels = {feature.name: product.label(feature, language) for feature in product.features}
    points = {labels.get(name, name): round(product.scale.points(value)) for name, value in content.contributions.items()}
    factors = sorted(((label, number) for label, number in points.items() if number), key=lambda pair: -abs(pair[1]))
    facts = {
        "score": one.score, "low": LOWEST_SCORE, "high": HIGHEST_SCORE, "start": product.scale.score(content.base),
        "approve": policy.approve_from, "decline": policy.decline_below,
    }  # fmt: skip
    how = (
        _("A statistical model, trained on how earlier loans were repaid, gave each of your answers points.")
        if one.answered_by == AnsweredBy.MODEL
        else _("Fixed rules, written by people, gave each of your answers points.")
    )
    return {
        "how": [
            how,
            _("Everybody begins with %(start)s points; the points of your answers are added, which gave %(score)s on a scale from %(low)s "
              "to %(high)s. Higher is better.") % facts,
            _("From %(approve)s on the answer is to approve, below %(decline)s it is to decline; between them a person decides.") % facts,
            _("A few rules decide by themselves, whatever the score; where one did, the reasons say so."),
        ],
        "answered_by": one.answered_by,
        "model_version": one.model_version.version if one.model_version else None,
        "policy_version": one.policy.version,
        "factors": [{"label": label, "points": number} for label, number in factors],
    }    # fmt: skip


# ---- correcting


@transaction.atomic
def rectify(applicant_id: uuid.UUID, changes: Mapping[str, str]) -> Sequence[str]:
    """The details are as told now; returns the names of those that changed. Empty texts change nothing.

    Raises ApplicantUnknown, ApplicantErased, PrivacyRequestRefused."""
    told = _checked({name: value.strip() for name, value in changes.items() if value.strip()})
    found, key = _locked(applicant_id)
    ring = keyring()
    known = open_profile(ring, key, applicant_id, found.sealed_profile or b"")
    merged = msgspec.structs.replace(told, reference=known.reference).merged_into(known) if told else known
    changed = [name for name in RECTIFIABLE if getattr(merged, name) != getattr(known, name)]
    if changed:
        Applicant.objects.filter(id=applicant_id).update(**rewritten(ring, key, applicant_id, merged))
    return changed


def _checked(given: Mapping[str, str]) -> ApplicantDetails | None:
    faults = {name: "It cannot be corrected: send name, phone, national_id or birth_date." for name in given if name not in RECTIFIABLE}
    unfit = [name for name, value in given.items() if len(value) > _LONGEST or "\0" in value]
    faults |= dict.fromkeys(unfit, f"Send at most {_LONGEST} characters, none of them NUL.")
    born = None
    if "birth_date" in given:
        try:
            born = date.fromisoformat(given["birth_date"])
        except ValueError:
            faults["birth_date"] = "Send a day such as 1990-02-28."
    if faults:
        raise PrivacyRequestRefused(fields=faults)
    texts = {name: value for name, value in given.items() if name != "birth_date"}
    return ApplicantDetails(reference="", birth_date=born, **texts) if given else None


def _locked(applicant_id: uuid.UUID) -> tuple[Applicant, DataKey]:
    found = Applicant.objects.select_for_update().filter(id=applicant_id).first()
    if found is None:
        raise ApplicantUnknown
    key = key_of(keyring(), found)
    if key is None:
        raise ApplicantErased
    return found, key


# ---- erasing


def erase(subjects: Sequence[Subject]) -> dict[str, int]:
    """Keys, profiles and blind indexes are gone, and what batches kept for a day and mentions them. Nobody of these ids is scored again."""
    ids, traces = [one.id for one in subjects], traces_of(subjects)
    erased = Applicant.objects.filter(id__in=ids).exclude(wrapped_key=None).update(**_ERASED)
    if erased < len(ids):    # who came after the backup that was restored is erased all the same
        Applicant.objects.bulk_create([Applicant(id=one) for one in ids], ignore_conflicts=True)
    return {"keys": erased, "batch_results": forget_results_about(traces), "batch_findings": forget_findings_about(traces)}


def forget(subjects: Sequence[Subject]) -> None:
    """What this process remembers, and uploads that mention them, are gone."""
    for one in subjects:
        forget_applicant(one.id)
    forget_uploads_about(traces_of(subjects))


# ---- keys


@transaction.atomic
def rewrap(at_most: int) -> int:
    """So many applicants' keys are under the partner's key in use; returns how many were under an earlier one. 0: all are."""
    ring = keyring()
    behind = Applicant.objects.exclude(wrapped_key=None).extra(
        where=["get_byte(wrapped_key, 0) <> %s"], params=[ring.partner_key.version]
    )
    found = list(behind.select_for_update(skip_locked=True).only("data_key_id", "wrapped_key")[:at_most])
    for one in found:
        key = key_of(ring, one)
        assert key is not None
        one.wrapped_key = ring.wrap(key, owner=one.id)
    Applicant.objects.bulk_update(found, ["wrapped_key"])
    return len(found)


@transaction.atomic
def change_key(applicant_id: uuid.UUID) -> None:
    """A new key seals what comes; it carries the earlier ones, since decisions are never written again. Raises as `rectify` does."""
    found, key = _locked(applicant_id)
    ring = keyring()
    details = open_profile(ring, key, applicant_id, found.sealed_profile or b"")
    fresh = ring.new_data_key(after=key)
    wrapped = ring.wrap(fresh, owner=applicant_id)
    columns = rewritten(ring, fresh, applicant_id, details)
    Applicant.objects.filter(id=applicant_id).update(**columns, data_key_id=fresh.id, wrapped_key=wrapped)
