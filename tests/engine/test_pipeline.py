"""The path of a decision: features, a signed bundle, policy and reasons, the same bits for one and for many."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scoring.engine.bundle import BundleContent, BundleRefused, read_bundle, sign_bundle, write_bundle
from scoring.engine.compile_lightgbm import compile_lightgbm
from scoring.engine.contract import Contract, DefinitionRefused, Input, InputKind
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.policy import Band, Condition, KnockOut, Outcome, Policy, ScoreScale
from scoring.engine.product import Product, Rule, Rules
from scoring.engine.reasons import ReasonWriter
from scoring.engine.texts import SENTENCES, VagueReason, check_template, refuse_vague

TODAY = date(2026, 3, 1)
KEY, KEY_ID = Ed25519PrivateKey.from_private_bytes(bytes(32)), "test-key-0000001"
KEYS = {KEY_ID: KEY.public_key().public_bytes_raw()}
POLICY = Policy(approve_from=600, decline_below=500, bands=(700, 600, 500, 400))

CONTRACT = Contract((
    Input(name="Amount asked", kind=InputKind.NUMBER, unit="EUR", minimum=0),
    Input(name="income", kind=InputKind.NUMBER, required=False),
    Input(name="stall-kind", kind=InputKind.CATEGORY, categories=("food", "cloth", "other things"), accepts_other=True, required=False),
    Input(name="member", kind=InputKind.BOOLEAN, required=False),
    Input(name="born", kind=InputKind.DATE, required=False),
    Input(name="sex", kind=InputKind.CATEGORY, categories=("f", "m"), required=False, is_protected=True),
))
FEATURES = (
    Feature(name="Amount asked"), Feature(name="income"), Feature(name="stall-kind"), Feature(name="member"),
    Feature(name="burden", kind="ratio", inputs=("Amount asked", "income"), label="Amount for each unit of income"),
    Feature(name="left", kind="difference", inputs=("income", "Amount asked")), Feature(name="log", kind="log", inputs=("Amount asked",)),
    Feature(name="age", kind="age", inputs=("born",)), Feature(name="no income", kind="missing", inputs=("income",)),
    Feature(name="size", kind="bucket", inputs=("Amount asked",), edges=(100.0, 1000.0)),
)    # fmt: skip
PRODUCT = Product(
    slug="stall", title="Stall loan", contract=CONTRACT, features=FEATURES,
    rules=Rules(0.2, (
        Rule("large", Condition("Amount asked", "gt", 5000), 1.5, {"en": "The amount asked is above 5,000 EUR."}),
        Rule("member", Condition("member", "eq", True), -0.5),
    )),
)    # fmt: skip


def applicants(count: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = np.random.default_rng(seed)

    def maybe(value: Any) -> Any:
        return None if draw.random() < 0.15 else value

    return [
        {
            "Amount asked": float(draw.lognormal(6, 1)), "income": maybe(float(draw.lognormal(5, 1))),
            "stall-kind": maybe(str(draw.choice(["food", "cloth", "other things", "unheard of"]))),
            "member": maybe(bool(draw.random() < 0.5)),
            "born": maybe(f"{draw.integers(1950, 2006)}-0{draw.integers(1, 10)}-1{draw.integers(0, 10)}"), "sex": None,
        }
        for _ in range(count)
    ]    # fmt: skip


@pytest.fixture(scope="module")
def content() -> BundleContent:
    given = applicants(800)
    rows = FeaturePlan(CONTRACT, FEATURES).matrix(given, TODAY)
    late = np.nan_to_num(rows[:, 4], nan=5.0) + np.random.default_rng(2).normal(size=len(rows)) > 4
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 8, "seed": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, late.astype(int), categorical_feature=[2], params={"verbosity": -1}), 25)
    usual = {feature.name: float(np.nanmedian(rows[:, place])) for place, feature in enumerate(FEATURES)}
    return BundleContent(
        product=PRODUCT, forest=compile_lightgbm(booster.model_to_string()), slope=1.1, intercept=-0.05, usual=usual, golden=rows[:20],
        estimator="boosted", seed=1,
    )    # fmt: skip


@pytest.fixture(scope="module")
def file(content: BundleContent) -> bytes:
    return sign_bundle(write_bundle(content), sign=KEY.sign, key_id=KEY_ID)


@pytest.fixture(scope="module")
def model(file: bytes) -> ServingModel:
    return ServingModel.of_bundle(read_bundle(file, KEYS))


# ---- features


def test_a_ratio_to_next_to_nothing_has_a_reason_too() -> None:
    values = applicants(1)[0] | {"Amount asked": 500.0, "income": 5e-324}
    plan = FeaturePlan(CONTRACT, FEATURES)
    row = plan.matrix([values], TODAY)[0].tolist()

    writer = ReasonWriter(PRODUCT, {"burden": 2.0})
    [reason] = writer.reasons(values, dict.fromkeys(plan.names, 0.0) | {"burden": 1.0}, row, 4, "en")

    assert reason.text == "Amount for each unit of income is \N{INFINITY}; applicants with a good outcome usually have 2 or less."


def test_features_are_what_they_say() -> None:
    plan = FeaturePlan(CONTRACT, FEATURES)
    whole: dict[str, Any] = {"Amount asked": 1000.0, "income": 250.0, "stall-kind": "cloth"}
    whole |= {"member": True, "born": "1996-03-01", "sex": "f"}
    bare = {**dict.fromkeys(whole), "Amount asked": 0.0, "stall-kind": "unheard of"}

    first, second = plan.matrix([whole, bare], TODAY).tolist()

    assert first == [1000.0, 250.0, 1.0, 1.0, 4.0, -750.0, np.log1p(1000.0), 10957 / 365.25, 0.0, 1.0]
    assert second[0] == 0.0
    assert np.isnan(second[1:6]).all()
    assert second[6:7] + second[8:] == [0.0, 1.0, 0.0]
    assert np.isnan(second[7])


def test_a_ratio_by_nothing_is_not_known() -> None:
    rows = FeaturePlan(CONTRACT, FEATURES).matrix([{**applicants(1)[0], "income": 0.0}], TODAY)

    assert np.isnan(rows[0, 4])


@pytest.mark.parametrize(
    "features",
    [
        (Feature(name="sex"),), (Feature(name="unheard of"),), (Feature(name="born"),),
        (Feature(name="x", kind="ratio", inputs=("income", "sex")),), (), (Feature(name="income"), Feature(name="income")),
    ],
)    # fmt: skip
def test_features_that_cannot_be_used_are_refused(features: tuple[Feature, ...]) -> None:
    with pytest.raises(DefinitionRefused):
        replace(PRODUCT, features=features)


# ---- one equals many


def test_one_is_scored_with_the_bits_it_has_among_many(model: ServingModel) -> None:
    given = applicants(500, seed=7)

    together = score(model, POLICY, given, decided_on=TODAY)

    assert [repr(score(model, POLICY, [one], decided_on=TODAY)[0]) for one in given] == [repr(result) for result in together]


def test_a_bundle_read_again_decides_the_same(file: bytes, model: ServingModel) -> None:
    again = ServingModel.of_bundle(read_bundle(bytes(file), KEYS))

    assert repr(score(again, POLICY, applicants(50), decided_on=TODAY)) == repr(score(model, POLICY, applicants(50), decided_on=TODAY))


def test_base_and_contributions_add_up_to_the_score(model: ServingModel) -> None:
    for result in score(model, POLICY, applicants(200, seed=3), decided_on=TODAY):
        log_odds = result.base + sum(result.contributions.values())

        assert log_odds == pytest.approx(1.1 * result.margin - 0.05, abs=1e-9)
        assert result.probability == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-12)
        assert abs(PRODUCT.scale.exact(log_odds) - result.score) <= 0.5 + 1e-6 or result.score in (300, 850)
        assert result.band is POLICY.band(result.score)


# ---- policy


def test_twice_the_odds_are_as_many_points_more() -> None:
    scale = ScoreScale(anchor_score=600, anchor_odds=20, points_to_double=40)

    assert [scale.score(-np.log(odds)) for odds in (10, 20, 40, 80)] == [560, 600, 640, 680]
    assert (scale.score(-50.0), scale.score(50.0)) == (850, 300)


def test_bands_and_outcomes_begin_where_the_policy_says() -> None:
    assert [POLICY.band(points) for points in (850, 700, 699, 600, 599, 500, 499, 400, 399, 300)] == [
        Band.VERY_LOW, Band.VERY_LOW, Band.LOW, Band.LOW, Band.MEDIUM, Band.MEDIUM, Band.HIGH, Band.HIGH, Band.VERY_HIGH, Band.VERY_HIGH,
    ]    # fmt: skip
    assert [POLICY.outcome(points) for points in (600, 599, 500, 499)] == [Outcome.APPROVE, Outcome.REFER, Outcome.REFER, Outcome.DECLINE]


def test_a_knock_out_decides_whatever_the_model_says_and_stands_first(model: ServingModel) -> None:
    late = KnockOut("too_young", Condition("Amount asked", "ge", 0), Outcome.DECLINE, {"en": "The applicant is not of age yet."})
    policy = replace(POLICY, approve_from=300, decline_below=300, knock_outs=(late,))

    for result in score(model, policy, applicants(30), decided_on=TODAY):
        assert result.outcome is Outcome.DECLINE
        assert (result.reasons[0].code, result.reasons[0].text) == ("too_young", "The applicant is not of age yet.")
        assert len(result.reasons) <= 4


def test_a_knock_out_to_refer_does_not_save_from_a_decline(model: ServingModel) -> None:
    look = KnockOut("look", Condition("Amount asked", "ge", 0), Outcome.REFER)
    policy = replace(POLICY, approve_from=851, decline_below=850, knock_outs=(look,))

    assert {result.outcome for result in score(model, policy, applicants(30), decided_on=TODAY)} == {Outcome.DECLINE}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("income", "lt", 10), True), (Condition("income", "le", 5), True), (Condition("income", "gt", 5), False),
        (Condition("income", "in", [5.0, 6.0]), True), (Condition("income", "ne", 5), False), (Condition("income", "lt", "10"), False),
        (Condition("gone", "missing"), True), (Condition("gone", "lt", 10), False), (Condition("income", "missing"), False),
    ],
)    # fmt: skip
def test_a_condition_holds_only_about_what_is_known(condition: Condition, expected: bool) -> None:
    assert condition.holds({"income": 5.0, "gone": None}) is expected


def test_policies_survive_json_and_wrong_ones_are_refused() -> None:
    rule = KnockOut("r", Condition("income", "lt", 10), Outcome.REFER, {"en": "The income is below 10 EUR."})
    policy = replace(POLICY, knock_outs=(rule,))

    assert Policy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    changes: list[dict[str, Any]] = [{"approve_from": 400}, {"bands": [1, 2, 3, 4]}, {"bands": [700]}, {"decline_below": 299}]
    for change in changes:
        with pytest.raises(DefinitionRefused):
            Policy.from_dict({**policy.to_dict(), **change})
    with pytest.raises(VagueReason):
        KnockOut("r", rule.condition, Outcome.DECLINE, {"en": "Your score is too low."})


def test_a_first_policy_approves_and_declines_around_the_base_rate() -> None:
    for rate in (0.001, 0.03, 0.3, 0.7, 0.99):
        policy = Policy.for_base_rate(rate)
        assert policy.decline_below <= policy.approve_from


# ---- rules as a model


def test_rules_answer_like_a_model_and_never_approve_by_themselves() -> None:
    rules = ServingModel.of_rules(PRODUCT)
    large, small = {**applicants(1)[0], "Amount asked": 9000.0, "member": True}, {**applicants(1)[0], "Amount asked": 10.0, "member": True}

    first, second = score(rules, replace(POLICY, approve_from=400, decline_below=300), [large, small], decided_on=TODAY)

    assert (first.answered_by, first.outcome, second.outcome) == ("rules", Outcome.REFER, Outcome.REFER)
    assert dict(first.contributions) == {"large": 1.5, "member": -0.5}
    assert [(reason.code, reason.text) for reason in first.reasons] == [("large", "The amount asked is above 5,000 EUR.")]
    assert first.base + sum(first.contributions.values()) == pytest.approx(first.margin, abs=1e-12)
    assert second.score > first.score


# ---- reasons


def test_reasons_are_at_most_four_heaviest_first_of_features_that_counted(model: ServingModel) -> None:
    for result in score(model, POLICY, applicants(200, seed=5), decided_on=TODAY):
        points = [reason.points for reason in result.reasons]

        assert len(points) <= 4
        assert points == sorted(points)
        assert all(result.contributions[reason.feature] > 0 for reason in result.reasons)
        assert all(reason.text.endswith(".") and refuse_vague(reason.text) for reason in result.reasons)


def test_features_of_one_group_share_one_reason(file: bytes, content: BundleContent) -> None:
    grouped = tuple(replace(feature, group="money" if feature.name != "stall-kind" else "") for feature in FEATURES)
    product = replace(PRODUCT, features=grouped)
    bundle = read_bundle(sign_bundle(write_bundle(replace(content, product=product)), sign=KEY.sign, key_id=KEY_ID), KEYS)

    for result in score(ServingModel.of_bundle(bundle), POLICY, applicants(50), decided_on=TODAY):
        assert len([reason for reason in result.reasons if reason.feature != "stall-kind"]) <= 1


def test_a_reason_names_the_applicants_value_and_what_is_usual(model: ServingModel) -> None:
    worst = {**applicants(1)[0], "Amount asked": 9000.0, "income": 100.0}

    texts = {reason.feature: reason.text for reason in score(model, POLICY, [worst], decided_on=TODAY)[0].reasons}
    french = {reason.feature: reason.text for reason in score(model, POLICY, [worst], decided_on=TODAY, language="fr")[0].reasons}

    assert texts["burden"].startswith("Amount for each unit of income is 90; applicants with a good outcome usually have ")
    assert french["burden"].startswith("Amount for each unit of income : 90 ; ")


@pytest.mark.parametrize(
    ("sign", "read", "said"),
    [
        (1, 12.0, "high; applicants with a good outcome usually have 10 or less."),
        (1, 8.0, "less; a lower value would count in your favour."),
        (1, 10.0, "less; a lower value would count in your favour."),
        (-1, 8.0, "low; applicants with a good outcome usually have 10 or more."),
        (-1, 12.0, "more; a higher value would count in your favour."),
        (0, 8.0, "low; applicants with a good outcome usually have 10 or more."),
        (0, 10.0, "level; other answers led to a good outcome more often."),
    ],
)
def test_no_reason_speaks_against_the_sign_of_its_feature(sign: int, read: float, said: str) -> None:
    signed = tuple(replace(one, monotone=sign) if one.name == "income" else one for one in FEATURES)
    writer = ReasonWriter(replace(PRODUCT, features=signed), {"income": 10.0})
    row, parts = [0.0] * len(FEATURES), dict.fromkeys((feature.name for feature in FEATURES), 0.0)
    row[1], parts["income"] = read, 0.5

    reason = writer.reasons({"income": read}, parts, row, 1, "en")[0]

    how, _, rest = said.partition(";")
    assert (reason.code, reason.text) == (f"income.{how}", f"income is {read:g};{rest}")


def test_what_the_model_read_is_said_as_people_know_it() -> None:
    shown = (*FEATURES[:4], replace(FEATURES[4], unit="%"), *FEATURES[5:])
    writer = ReasonWriter(
        replace(PRODUCT, features=shown, labels={"fr": {"burden": "Charge", "log": "Montant"}}), {"burden": 0.125, "log": np.log1p(250.0)}
    )
    none = dict.fromkeys((feature.name for feature in FEATURES), 0.0)

    def said(feature: str, read: float, language: str) -> str:
        row = [read] * len(FEATURES)
        return writer.reasons({"Amount asked": 1000.0, "income": 4.0}, {**none, feature: 0.5}, row, 1, language)[0].text

    assert said("burden", 2.5, "en") == (
        "Amount for each unit of income is 250%; applicants with a good outcome usually have 12.5% or less."
    )
    assert said("log", np.log1p(1000.0), "fr") == (
        "Montant : 1,000 EUR ; les dossiers à l'issue favorable ont d'habitude 250 EUR ou moins."
    )


@pytest.mark.parametrize("usual", [0.0, 1.0])
def test_a_truth_value_counts_against_the_other_answer(usual: float) -> None:
    writer = ReasonWriter(replace(PRODUCT, texts={"member.no": {"en": "You are in no group."}}), {"member": usual})
    none = dict.fromkeys((feature.name for feature in FEATURES), 0.0)

    said = [
        writer.reasons({"member": member}, {**none, "member": 0.5}, [float(member)] * len(FEATURES), 1, language)[0]
        for member, language in ((True, "en"), (False, "en"), (False, "fr"))
    ]

    assert [reason.code for reason in said] == ["member.yes", "member.no", "member.no"]
    assert [reason.text for reason in said] == [
        "member is “Yes”; “No” led to a good outcome more often.",
        "You are in no group.",
        "member : « Non » ; « Oui » a mené plus souvent à une issue favorable.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Insufficient income.", "Your credit score is low.", "The risk is high.", "Does not meet internal standards.", "Too late.",
        "Le risque est trop fort.",
    ],
)
def test_vague_texts_are_refused(text: str) -> None:
    with pytest.raises(VagueReason):
        refuse_vague(text)


@pytest.mark.parametrize(
    "text", ["It is {value.__class__} now.", "It is {x} here.", "It is {value!r} now.", "It is {value here.", "It is {0} now."]
)
def test_texts_leave_nothing_else_open(text: str) -> None:
    with pytest.raises(DefinitionRefused):
        check_template(text)
    with pytest.raises(DefinitionRefused):
        replace(PRODUCT, texts={"income.low": {"en": text}})


@pytest.mark.parametrize(
    "sentences",
    [
        {},
        {"en": SENTENCES["en"]},
        {**SENTENCES, "en": {**SENTENCES["en"], "high": "Too high."}},
        {**SENTENCES, "en": {**SENTENCES["en"], "high": "{label} is {odd} for now."}},
        {**SENTENCES, "fr": {**SENTENCES["fr"], "most": "{label} is {value} for now."}},
    ],
)
def test_sentences_are_whole_and_say_something(sentences: dict[str, dict[str, str]]) -> None:
    with pytest.raises(DefinitionRefused):
        replace(PRODUCT, sentences=sentences)


def test_a_product_says_what_it_was_made_to_say(content: BundleContent) -> None:
    high = "{label} was {value} where {usual} is common."
    product = replace(PRODUCT, sentences={**SENTENCES, "en": {**SENTENCES["en"], "high": high}})
    bundle = read_bundle(sign_bundle(write_bundle(replace(content, product=product)), sign=KEY.sign, key_id=KEY_ID), KEYS)
    worst = {**applicants(1)[0], "Amount asked": 9000.0, "income": 100.0}

    said = {reason.feature: reason.text for reason in score(ServingModel.of_bundle(bundle), POLICY, [worst], decided_on=TODAY)[0].reasons}

    assert said["burden"].startswith("Amount for each unit of income was 90 where ")


def test_a_product_survives_json() -> None:
    own = {**SENTENCES, "en": {**SENTENCES["en"], "level": "{label} was {value} this time."}}
    product = replace(PRODUCT, texts={"income.low": {"en": "The income is {value} and usually {usual}."}}, sentences=own)

    assert Product.from_dict(json.loads(json.dumps(product.to_dict()))) == product


# ---- the bundle


def test_the_same_content_is_the_same_file(content: BundleContent, file: bytes) -> None:
    assert sign_bundle(write_bundle(content), sign=KEY.sign, key_id=KEY_ID) == file


def test_a_bundle_holds_what_was_put_in(content: BundleContent, file: bytes) -> None:
    bundle = read_bundle(file, KEYS)

    assert bundle.product == content.product
    assert bundle.forest.digest() == content.forest.digest()
    assert (bundle.slope, bundle.intercept, bundle.usual) == (content.slope, content.intercept, content.usual)
    assert bundle.golden.tobytes() == content.golden.tobytes()


def test_a_thousand_bundles_with_one_byte_changed_are_refused(file: bytes) -> None:
    draw = np.random.default_rng(6)
    places = [*range(120), *draw.integers(0, len(file), 880).tolist()]

    for place in places:
        wrong = bytearray(file)
        wrong[place] ^= int(draw.integers(1, 256))
        with pytest.raises(BundleRefused):
            read_bundle(bytes(wrong), KEYS)


def test_cut_and_lengthened_files_and_other_keys_are_refused(file: bytes) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().public_bytes_raw()

    for wrong, keys in ((b"", KEYS), (file[:50], KEYS), (file[:-1], KEYS), (file + b"x", KEYS), (file, {}), (file, {KEY_ID: other})):
        with pytest.raises(BundleRefused):
            read_bundle(wrong, keys)


def test_a_bundle_that_computes_other_bits_is_refused(content: BundleContent) -> None:
    body = write_bundle(content)
    last = bytearray(body)
    last[-1] ^= 1    # the last contribution of the last golden row

    with pytest.raises(BundleRefused, match="golden"):
        read_bundle(sign_bundle(bytes(last), sign=KEY.sign, key_id=KEY_ID), KEYS)


def test_a_signed_body_that_makes_no_sense_is_refused() -> None:
    for body in (b"", bytes(8), b"\xff" * 40, (2).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"):
        with pytest.raises(BundleRefused):
            read_bundle(sign_bundle(body, sign=KEY.sign, key_id=KEY_ID), KEYS)


def test_the_kernel_works_where_nothing_can_be_written(file: bytes, model: ServingModel, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(file)
    (tmp_path / "cache").mkdir()
    code = (
        "import shutil, sys, pathlib\n"
        "from scoring.engine.bundle import read_bundle\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "shutil.rmtree(folder / 'cache'); (folder / 'cache').write_text('')\n"
        f"print(read_bundle((folder / 'bundle').read_bytes(), {KEYS!r}).plan.mean)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True, text=True, timeout=120, check=False,
    )    # fmt: skip

    assert done.stderr == ""
    assert model.plan is not None
    assert done.stdout.strip() == repr(model.plan.mean)


@pytest.mark.parametrize(
    "changed",
    [
        {"slope": float("nan")}, {"slope": "1"}, {"intercept": float("inf")}, {"usual": {"income": None}}, {"usual": []},
        {"arrays": [["start", "<f8", [2**70]]]}, {"arrays": [["start", "<i4", [-1]]]}, {"arrays": [["start", "O", [1]]]}, None,
    ],
)  # fmt: skip
def test_a_signed_bundle_with_hostile_content_is_refused_and_breaks_nothing(content: BundleContent, changed: dict[str, Any] | None) -> None:
    body = write_bundle(content)
    length = int.from_bytes(body[:8], "little")
    text = b"[" * 200_000 if changed is None else json.dumps({**json.loads(body[8 : 8 + length]), **changed}).encode()
    hostile = len(text).to_bytes(8, "little") + text + body[8 + length :]

    with pytest.raises(BundleRefused):
        read_bundle(sign_bundle(hostile, sign=KEY.sign, key_id=KEY_ID), KEYS)
