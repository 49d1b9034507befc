"""Contracts: right inputs pass unchanged, wrong ones are told all at once with a pointer, a code and what to do."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.engine.contract import (
    LARGEST_INTEGER,
    Contract,
    ContractViolation,
    DefinitionRefused,
    Input,
    InputKind,
    Validator,
    compile_contract,
    pointer,
)

CONTRACT = Contract((
    Input(name="Loan amount", kind=InputKind.NUMBER, minimum=0, maximum=1e6, unit="EUR", label="Amount", help="What is asked for."),
    Input(name="term", kind=InputKind.INTEGER, minimum=1, maximum=84),
    Input(name="job-kind", kind=InputKind.CATEGORY, categories=("clerk", "trader", "3", "A/B~C")),
    Input(name="area", kind=InputKind.CATEGORY, categories=("coast", "hills"), accepts_other=True, required=False),
    Input(name="member", kind=InputKind.BOOLEAN, required=False),
    Input(name="born", kind=InputKind.DATE, required=False),
    Input(name="days", kind=InputKind.NUMBER, required=False, missing_codes=("365243", "-7")),
    Input(name="free", kind=InputKind.NUMBER, required=False),
))
RIGHT: dict[str, Any] = {
    "Loan amount": 1200.5, "term": 12, "job-kind": "clerk", "area": "coast", "member": True, "born": "1990-02-28", "days": 30, "free": -2.5,
}    # fmt: skip


@pytest.fixture(scope="module")
def validator() -> Validator:
    return compile_contract(CONTRACT)


def refused(validator: Validator, raw: bytes | str) -> dict[str, str]:
    """The problems of a body, pointer -> code."""
    with pytest.raises(ContractViolation) as caught:
        validator.check_json(raw if isinstance(raw, bytes) else raw.encode())
    assert all(problem.detail.endswith(".") for problem in caught.value.problems)
    return {problem.pointer: problem.code for problem in caught.value.problems}


def with_member(name: str, text: str) -> str:
    members = {key: json.dumps(value) for key, value in RIGHT.items()} | {name: text}
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in members.items()) + "}"


def test_right_inputs_pass_in_the_contracts_order(validator: Validator) -> None:
    shuffled = dict(reversed(RIGHT.items()))

    values = validator.check_json(json.dumps(shuffled).encode())

    assert values == {**RIGHT, "days": 30.0}
    assert list(values) == [one.name for one in CONTRACT.inputs]
    assert validator.check(RIGHT) == values


def test_what_is_left_out_or_null_is_not_known(validator: Validator) -> None:
    asked = {name: RIGHT[name] for name in ("Loan amount", "term", "job-kind")}

    values = validator.check_json(json.dumps({**asked, "member": None}).encode())

    assert values == {**asked, "area": None, "member": None, "born": None, "days": None, "free": None}


def test_every_wrong_field_is_told_at_once(validator: Validator) -> None:
    raw = '{"Loan amount": -1, "term": "12", "job-kind": "king", "member": 1, "born": "28.2.1990", "free": NaN, "amount": 3, "x/y~z": 1}'

    assert refused(validator, raw) == {
        "/Loan amount": "out_of_range", "/term": "wrong_type", "/job-kind": "not_in_list", "/member": "wrong_type", "/born": "wrong_type",
        "/free": "not_finite", "/amount": "unknown_field", "/x~1y~0z": "unknown_field",
    }    # fmt: skip
    assert refused(validator, "{}") == {"/Loan amount": "required", "/term": "required", "/job-kind": "required"}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("Loan amount", "NaN", "not_finite"), ("Loan amount", "Infinity", "not_finite"), ("Loan amount", "-Infinity", "not_finite"),
        ("free", "1e400", "not_finite"), ("Loan amount", "true", "wrong_type"), ("term", "true", "wrong_type"),
        ("term", "1.5", "wrong_type"),
        ("term", "0", "out_of_range"), ("term", "85", "out_of_range"), ("free", str(2**53 + 1), "out_of_range"),
        ("free", "9" * 500, "not_finite"), ("term", "9" * 20, "out_of_range"), ("Loan amount", '"12"', "wrong_type"),
        ("Loan amount", "[1]", "wrong_type"), ("Loan amount", '{"a":1}', "wrong_type"), ("job-kind", '"clerk\\u0000"', "wrong_characters"),
        ("job-kind", '"\\ud800"', "wrong_characters"), ("area", '"\\ud800"', "wrong_characters"),
        ("area", '"a\\u0000"', "wrong_characters"),
        ("area", json.dumps("x" * 201), "too_long"), ("job-kind", "null", "required"), ("member", '"true"', "wrong_type"),
        ("born", '"1990-02-30"', "wrong_type"), ("born", '"1990-02-28T00:00:00"', "wrong_type"), ("born", "19900228", "wrong_type"),
        ("area", "true", "wrong_type"), ("days", '"-7x"', "wrong_type"),
    ],
)    # fmt: skip
def test_a_wrong_value_has_its_code_and_pointer(validator: Validator, name: str, text: str, code: str) -> None:
    assert refused(validator, with_member(name, text)) == {f"/{name}": code}


@pytest.mark.parametrize(
    "raw",
    [
        '{"term": 12, "term": 13}', '{"term": 12, "ter\\u006d": 13}', '{"job-kind": "clerk", "job-kind": 4, "term": 12}',
        '{"area": "coast", "area": "hills"}', '{"area": null, "area": null}', '{"free": 1, "free": 1}',
    ],
)    # fmt: skip
def test_an_input_sent_twice_is_refused(validator: Validator, raw: str) -> None:
    first = json.loads(raw)
    rest = {name: value for name, value in RIGHT.items() if name not in first}

    with pytest.raises(ContractViolation) as caught:
        validator.check_json((raw[:-1] + "," + json.dumps(rest)[1:]).encode())

    assert "duplicate_key" in [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize("raw", [b"", b"{", b"nonsense", b"\xff\xfe{}", b'{"term": 1,}', b"{} {}", b'"\xed\xa0\x80"'])
def test_what_is_not_json_is_refused(validator: Validator, raw: bytes) -> None:
    assert refused(validator, raw) == {"": "not_json"}


@pytest.mark.parametrize("raw", ["[]", "1", "null", '"text"', "[[1]]"])
def test_what_is_no_object_is_refused(validator: Validator, raw: str) -> None:
    assert refused(validator, raw) == {"": "wrong_type"}


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 10_000 + "]" * 10_000, '{"free":' * 10_000 + "1" + "}" * 10_000, with_member("free", "[" * 10_000 + "]" * 10_000),
        '{"' + "x" * 5_000_000 + '":1}',
    ],
    ids=["lists", "objects", "a field", "a long name"],
)
def test_deep_and_long_bodies_are_refused_quickly(validator: Validator, raw: str) -> None:
    began = time.process_time()

    assert refused(validator, raw)

    assert time.process_time() - began < 1


def test_the_longest_list_of_problems_is_bounded(validator: Validator) -> None:
    raw = json.dumps({f"x{place}": 1 for place in range(20_000)})

    assert len(refused(validator, raw)) <= 200


def test_missing_codes_are_not_known_values(validator: Validator) -> None:
    for text in ("365243", "365243.0", "-7", '"-7"'):
        assert validator.check_json(with_member("days", text).encode())["days"] is None


def test_a_category_may_come_as_a_number_and_others_where_accepted(validator: Validator) -> None:
    assert validator.check_json(with_member("job-kind", "3").encode())["job-kind"] == "3"
    assert validator.check_json(with_member("area", '"Nørre \\"x\\""').encode())["area"] == 'Nørre "x"'


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(), st.text(max_size=5),
    st.sampled_from(["clerk", "coast", "3", "-7", "1990-02-28", "2020-13-01", 365243, -7.0, 3, 12, 0.5, "12"]),
)    # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from([*RIGHT, "other"]), scalars | st.lists(st.integers(), max_size=2)), st.booleans())
def test_the_fast_path_agrees_with_the_definition(changes: dict[str, Any], escape: bool) -> None:
    validator = compile_contract(CONTRACT)
    given = {**RIGHT, **changes}
    raw = json.dumps(given, ensure_ascii=escape).encode("utf-8", "surrogatepass")

    def outcome(check: Any, what: Any) -> Any:
        try:
            return check(what)
        except ContractViolation as violation:
            return [(problem.pointer, problem.code) for problem in violation.problems]

    assert repr(outcome(validator.check_json, raw)) == repr(outcome(validator.check, given))


def test_cells_are_read_like_values(validator: Validator) -> None:
    cells = {
        "Loan amount": " 1200.50 ", "term": "12", "job-kind": "3.0", "area": "", "member": "Yes", "born": "1990-02-28",
        "days": "-7", "free": "NA",
    }    # fmt: skip

    assert validator.check_text(cells) == {
        "Loan amount": 1200.5, "term": 12, "job-kind": "3", "area": None, "member": True, "born": "1990-02-28", "days": None, "free": None,
    }    # fmt: skip
    assert validator.check_text({**cells, "free": "-2.5e3"})["free"] == -2500.0


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("free", "=1+1", "formula"), ("free", "@x", "formula"), ("free", "+x", "formula"), ("free", "-cmd", "formula"),
        ("area", "=A1", "formula"),
        ("free", "1,200", "wrong_type"), ("free", "inf", "not_finite"), ("free", "-Infinity", "not_finite"),
        ("free", "1e999", "not_finite"),
        ("free", "abc", "wrong_type"), ("term", "12.5", "wrong_type"), ("term", "", "required"), ("Loan amount", "-5", "out_of_range"),
        ("member", "maybe", "wrong_type"), ("born", "28/02/1990", "wrong_type"), ("job-kind", "king", "not_in_list"),
        ("nobody", "1", "unknown_field"),
    ],
)    # fmt: skip
def test_a_wrong_cell_has_its_code_and_pointer(validator: Validator, name: str, text: str, code: str) -> None:
    cells = {"Loan amount": "1200", "term": "12", "job-kind": "clerk", name: text}

    with pytest.raises(ContractViolation) as caught:
        validator.check_text(cells)

    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [(f"/{name}", code)]


CELLS = st.one_of(
    st.sampled_from(["", "NA", "?", "-7", "-0", "-0.0", "-0e1", "365243", "3", "3.0", "clerk", "coast", "A/B~C", "YES", "0", "1", "=1",
                     "-x", "1990-02-28"]),
    st.integers(-(2**60), 2**60).map(str), st.floats().map(repr), st.decimals(allow_nan=False).map(str),
    st.text("0123456789٣.eE+-_ ", max_size=8),
)    # fmt: skip


@given(st.sampled_from([one.name for one in CONTRACT.inputs]), CELLS)
@settings(max_examples=600, deadline=None)
def test_cells_are_read_alike_whether_all_of_them_or_some_are_there(name: str, cell: str) -> None:
    """A row with every cell is read the quick way, one that leaves an input out the other way."""
    more = Input(name="more", kind=InputKind.NUMBER, required=False)
    cells = {name: "true" if value is True else str(value) for name, value in RIGHT.items()} | {name: cell}

    def outcome(contract: Contract) -> Any:
        try:
            return {name: value for name, value in compile_contract(contract).check_text(cells).items() if name != more.name}
        except ContractViolation as violation:
            return violation.problems

    assert repr(outcome(CONTRACT)) == repr(outcome(Contract((*CONTRACT.inputs, more))))


def test_the_contract_survives_json_and_is_a_json_schema() -> None:
    again = Contract.from_dict(json.loads(json.dumps(CONTRACT.to_dict())))
    schema = CONTRACT.json_schema()

    assert again == CONTRACT
    assert schema["required"] == ["Loan amount", "term", "job-kind"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["Loan amount"].items() >= {"title": "Amount", "minimum": 0, "maximum": 1e6, "type": "number"}.items()
    assert schema["properties"]["job-kind"]["enum"] == ["clerk", "trader", "3", "A/B~C"]
    assert "enum" not in schema["properties"]["area"]


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": []}, {}, {"inputs": [{"name": "a"}]}, {"inputs": [{"name": "a", "kind": "colour"}]},
        {"inputs": [{"name": "", "kind": "number"}]},
        {"inputs": [{"name": "a", "kind": "number", "minimum": 2, "maximum": 1}]}, {"inputs": [{"name": "a", "kind": "category"}]},
        {"inputs": [{"name": "a", "kind": "number"}] * 2}, {"inputs": [{"name": "a", "kind": "number", "colour": "red"}]}, {"inputs": 3},
    ],
)    # fmt: skip
def test_a_contract_that_cannot_be_used_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(DefinitionRefused):
        Contract.from_dict(given)


@pytest.mark.parametrize("blank", ["", "  ", "\u00a0"])
def test_a_blank_text_is_a_missing_one(blank: str) -> None:
    needed = compile_contract(Contract((Input(name="area", kind=InputKind.CATEGORY, categories=("coast",), accepts_other=True),)))
    listed = compile_contract(Contract((Input(name="area", kind=InputKind.CATEGORY, categories=("coast",), required=False),)))
    raw = json.dumps({"area": blank}).encode()

    assert refused(needed, raw) == {"/area": "required"}
    for check in (needed.check, needed.check_text):
        with pytest.raises(ContractViolation, match="needed"):
            check({"area": blank})
    assert listed.check_json(raw) == listed.check({"area": blank}) == listed.check_text({"area": blank}) == {"area": None}
    assert needed.contract.json_schema()["properties"]["area"]["pattern"] == r"\S"


def test_pointers_escape_what_json_pointers_must() -> None:
    assert pointer("a/b~c") == "/a~1b~0c"
    assert pointer("\ud800").encode()


def test_the_largest_integers_a_double_holds_pass(validator: Validator) -> None:
    for number in (LARGEST_INTEGER, -LARGEST_INTEGER):
        assert validator.check_json(with_member("free", str(number)).encode())["free"] == float(number)
