"""Every ready-made product, through the same checks."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scoring.engine.bundle import read_bundle, sign_bundle
from scoring.engine.contract import ContractViolation, InputKind, Values, compile_contract
from scoring.engine.pipeline import AnsweredBy, ServingModel, score
from scoring.engine.policy import Policy
from scoring.engine.product import Product
from scoring.engine.products.ready import READY, ReadyProduct
from scoring.engine.synthetic import write_table
from scoring.engine.texts import LANGUAGES
from scoring.engine.training.train import TrainingRequest, train

TODAY = date(2026, 1, 1)

pytestmark = [pytest.mark.parametrize("ready", READY.values(), ids=READY), pytest.mark.xdist_group("ready")]    # models are trained once


def values_of(product: Product, rows: list[dict[str, Any]]) -> list[Values]:
    validator = compile_contract(product.contract)
    names = [one.name for one in product.contract.inputs]
    return [validator.check({name: row[name] for name in names}) for row in rows]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServingModel]:
    """One boosted model per product, trained on its own table."""
    key, found = Ed25519PrivateKey.generate(), {}
    for ready in READY.values():
        product = ready.product("KES")
        table = tmp_path_factory.mktemp("ready") / f"{product.slug}.csv"
        write_table(table, ready.table(900, seed=1))
        request = TrainingRequest(product=product, table=table, estimator="boosted", folds=2, seed=3, threads=1, decided_on=TODAY)
        trained = train(request, lambda line: None)
        assert trained.metrics["cv"]["auc"] > 0.65
        signed = sign_bundle(trained.bundle, sign=key.sign, key_id="k" * 16)
        found[product.slug] = ServingModel.of_bundle(read_bundle(signed, {"k" * 16: key.public_key().public_bytes_raw()}))
    return found


def test_the_declaration_survives_being_written_and_counts_in_the_lenders_currency(ready: ReadyProduct) -> None:
    product = ready.product("XOF")

    assert Product.from_dict(product.to_dict()) == product
    assert Policy.from_dict(ready.policy.to_dict()) == ready.policy
    units = {one.unit for one in product.contract.inputs} | {one.unit for one in product.features}
    assert "XOF" in units
    assert "KES" not in units


def test_everything_is_told_to_people_in_every_language(ready: ReadyProduct) -> None:
    product = ready.product("KES")
    spoken = [*product.texts.values(), *(rule.texts for rule in product.rules.rules), *(rule.texts for rule in ready.policy.knock_outs)]

    assert all(one.label and one.help for one in product.contract.inputs)
    assert all(set(texts) == set(LANGUAGES) for texts in spoken)
    for language in set(LANGUAGES) - {"en"}:
        known = set(product.labels[language])
        assert {feature.name for feature in product.features} | {feature.group for feature in product.features if feature.group} <= known
        assert not [one for one in product.contract.inputs if not {one.name, one.label} & known or not {one.help, *one.categories} <= known]
    assert {code.rpartition(".")[0] for code in product.texts} <= {feature.name for feature in product.features}


def test_a_product_is_spoken_in_a_language_and_decides_by_the_same_names(ready: ReadyProduct) -> None:
    product = ready.product("KES")

    french = product.spoken("fr")

    assert [one.name for one in french.contract.inputs] == [one.name for one in product.contract.inputs]
    assert [one.categories for one in french.contract.inputs] == [one.categories for one in product.contract.inputs]
    assert not {one.title for one in french.contract.inputs} & {one.title for one in product.contract.inputs}
    assert not {one.help for one in french.contract.inputs} & {one.help for one in product.contract.inputs}
    assert {one.unit for one in french.contract.inputs} <= {"KES", "jours", "mois", "ans", None}
    assert [product.label(one, "fr") for one in product.features] == [french.label(one, "fr") for one in french.features]
    assert product.spoken("en") is product


def test_its_table_is_the_same_for_the_same_seed_and_keeps_its_contract(ready: ReadyProduct) -> None:
    product = ready.product("KES")
    rows = ready.table(2_000, seed=4)

    assert rows == ready.table(2_000, seed=4) != ready.table(2_000, seed=5)
    assert {product.id_column, product.target, *(one.name for one in product.contract.inputs)} <= set(rows[0])
    assert len({row[product.id_column or ""] for row in rows}) == 2_000
    assert len(values_of(product, rows)) == 2_000
    share = np.mean([row[product.target] for row in rows])
    assert share == pytest.approx(product.rules.base_probability, abs=0.05)
    for one in product.contract.inputs:
        unknown = np.mean([row[one.name] is None for row in rows])
        assert unknown == 0 if one.required else (unknown > 0.01 or one.is_protected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_rules_answer_and_send_to_a_person(ready: ReadyProduct, language: str) -> None:
    product = ready.product("KES")
    results = score(
        ServingModel.of_rules(product), ready.policy, values_of(product, ready.table(500, seed=2)), decided_on=TODAY, language=language
    )

    assert {result.answered_by for result in results} == {AnsweredBy.RULES}
    assert {str(result.outcome) for result in results} <= {"refer", "decline"}
    assert len({result.band for result in results}) >= 3
    held = {code for result in results for code in result.contributions}
    assert len(held) >= len(product.rules.rules) - 1
    assert all(len(reason.text) > 20 for result in results for reason in result.reasons)


def test_every_rule_and_every_knock_out_can_hold(ready: ReadyProduct) -> None:
    product = ready.product("KES")
    validator = compile_contract(product.contract)
    (usual,) = values_of(product, ready.table(1, seed=1))

    for asked in [rule.condition for rule in product.rules.rules] + [rule.condition for rule in ready.policy.knock_outs]:
        beyond = {"lt": -1, "gt": 1}.get(asked.operator, 0)
        step = 0.1 if isinstance(asked.value, float) else 1
        given = asked.value + beyond * step if beyond else asked.value
        assert asked.holds(validator.check({**usual, asked.input: given})), asked


def test_one_scores_as_many_do(ready: ReadyProduct, models: dict[str, ServingModel]) -> None:
    product = ready.product("KES")
    values = values_of(product, ready.table(200, seed=9))

    together = score(models[product.slug], ready.policy, values, decided_on=TODAY)
    alone = [score(models[product.slug], ready.policy, [one], decided_on=TODAY)[0] for one in values]

    assert together == alone
    assert len({result.score for result in together}) > 20
    assert len({result.outcome for result in together}) == 3


def test_reasons_are_full_sentences_of_what_was_declared(ready: ReadyProduct, models: dict[str, ServingModel]) -> None:
    product = ready.product("KES")
    values = values_of(product, ready.table(300, seed=9))
    names = {feature.name for feature in product.features} | {one.name for one in product.contract.inputs}

    for language in LANGUAGES:
        results = score(models[product.slug], ready.policy, values, decided_on=TODAY, language=language)
        texts = [reason for result in results for reason in result.reasons]

        assert {reason.feature for reason in texts} <= names
        assert all(reason.text[0].isupper() or reason.text[0].isdigit() for reason in texts)
        assert not any("{" in reason.text for reason in texts)
        assert not [result for result in results if str(result.outcome) == "decline" and not result.reasons]


def test_more_of_what_is_worse_never_helps(ready: ReadyProduct, models: dict[str, ServingModel]) -> None:
    product = ready.product("KES")
    values = values_of(product, ready.table(60, seed=9))
    signs = {feature.sources[0]: feature.monotone for feature in product.features if feature.monotone and feature.kind == "input"}
    alone = {name for name in signs if sum(name in feature.sources for feature in product.features) == 1}

    assert alone
    for name in alone:
        source = next(one for one in product.contract.inputs if one.name == name)
        assert source.kind in {InputKind.NUMBER, InputKind.INTEGER}
        assert source.minimum is not None
        assert source.maximum is not None
        steps = np.linspace(source.minimum, min(source.maximum, 100 * (source.minimum + 1)), 12)
        for one in values:
            asked = [{**one, name: int(step) if source.kind is InputKind.INTEGER else float(step)} for step in steps]
            margins = np.array([result.margin for result in score(models[product.slug], ready.policy, asked, decided_on=TODAY)])
            assert np.all(signs[name] * np.diff(margins) >= 0), name


def test_bounds_are_kept(ready: ReadyProduct) -> None:
    product = ready.product("KES")
    validator = compile_contract(product.contract)
    (usual,) = values_of(product, ready.table(1, seed=1))

    for one in product.contract.inputs:
        if one.maximum is not None:
            with pytest.raises(ContractViolation):
                validator.check({**usual, one.name: one.maximum + 1})
