"""What scoring requests say, read fast when they are right and exactly when they are not."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from partners.api import strict
from partners.api.bodies import faults_of
from partners.api.errors import MOST_FAULTS, Fault, RequestRefused
from scoring import registry
from scoring.engine.contract import ContractViolation, Validator, Values
from scoring.errors import ProductUnknown
from scoring.services.score import ApplicantDetails, ScoreItem

ITEMS_AT_MOST = 1_000
# No control characters, nothing that hides or turns text around, no space around it.
_UNSEEN = r"\x00-\x1f\x7f\u200b\u2028-\u202e\u2066-\u2069\ufeff"
_PLAIN = rf"^[^\s{_UNSEEN}]([^{_UNSEEN}]*[^\s{_UNSEEN}])?$(?!\n)"
OLDEST_BIRTH = date(1900, 1, 1)

Reference = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PLAIN, description="Your own name for the applicant.")]
ProductName = Annotated[str, Meta(min_length=1, max_length=60, pattern=_PLAIN)]
Reasoned = Annotated[str, Meta(min_length=1, max_length=500, pattern=_PLAIN, description="Why, for the record.")]
ShortText = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PLAIN)]


class Applicant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is scored. Only your own reference is needed; the rest is kept encrypted under the applicant's own key."""

    reference: Reference
    name: ShortText | None = None
    phone: ShortText | None = None
    national_id: ShortText | None = None
    birth_date: date | None = None

    def details(self) -> ApplicantDetails:
        """As the service takes it."""
        return ApplicantDetails(
            reference=self.reference, name=self.name, phone=self.phone, national_id=self.national_id, birth_date=self.birth_date
        )


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One applicant to score. `inputs` are the fields of the product's contract: GET /api/v1/products/{slug}."""

    product: ProductName
    applicant: Applicant
    inputs: msgspec.Raw


class BatchItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One applicant of a batch."""

    applicant: Applicant
    inputs: msgspec.Raw


class ScoreBatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Applicants to score together: all of them, or none if a field of one cannot be used."""

    product: ProductName
    items: Annotated[list[BatchItem], Meta(min_length=1, max_length=ITEMS_AT_MOST)]


class AboutOne(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `read_one` reads, with `inputs` and more beside it."""

    product: ProductName
    applicant: Applicant


R = TypeVar("R", ScoreRequest, ScoreBatchRequest)
K = TypeVar("K", bound=AboutOne)
_score = msgspec.json.Decoder(ScoreRequest)
_batch = msgspec.json.Decoder(ScoreBatchRequest)


def read_score(raw: bytes) -> tuple[str, list[ScoreItem]]:
    """Product and item of a single request. Raises BodyMalformed or RequestRefused with every fault of envelope and inputs."""
    request = _fast(raw, _score, _strings_of_score)
    if request is not None:
        try:
            values = registry.check_inputs(request.product, lambda validator: validator.check_json(bytes(request.inputs)))
        except ContractViolation as violation:
            raise RequestRefused(_faults_of("/inputs", violation)) from violation
        except ProductUnknown as unknown:
            raise RequestRefused([_no_product(unknown)]) from unknown
        return request.product, [ScoreItem(request.applicant.details(), values)]
    return _slow(raw, ScoreRequest)


def read_batch(raw: bytes) -> tuple[str, list[ScoreItem]]:
    """Product and items of a batch. Raises BodyMalformed or RequestRefused with every fault of every item."""
    request = _fast(raw, _batch, _strings_of_batch)
    if request is not None:
        inputs = [bytes(item.inputs) for item in request.items]
        try:
            values = registry.check_inputs(request.product, lambda validator: [validator.check_json(one) for one in inputs])
        except (ContractViolation, ProductUnknown):
            return _slow(raw, ScoreBatchRequest)
        return request.product, [ScoreItem(item.applicant.details(), one) for item, one in zip(request.items, values, strict=True)]
    return _slow(raw, ScoreBatchRequest)


def _fast(raw: bytes, decoder: msgspec.json.Decoder[R], strings: Callable[[R], int]) -> R | None:
    """The request, unless anything about it needs a closer look.

    The decoder takes the last of doubled members. Each string has two quotation marks, so a body that holds more strings than what was
    read out of it is not trusted."""
    try:
        request = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if raw.count(b'"') != 2 * strings(request) + _quotes_in_inputs(request):
        return None
    return request if all(_may_be_born(item.applicant.birth_date) for item in _items(request)) else None


def _quotes_in_inputs(request: ScoreRequest | ScoreBatchRequest) -> int:
    return sum(bytes(item.inputs).count(b'"') for item in _items(request))


def _items(request: ScoreRequest | ScoreBatchRequest) -> Sequence[ScoreRequest | BatchItem]:
    return request.items if isinstance(request, ScoreBatchRequest) else (request,)


def _may_be_born(on: date | None) -> bool:
    return on is None or OLDEST_BIRTH <= on <= datetime.now(UTC).date()


def _strings_of_applicant(applicant: Applicant) -> int:
    others = (applicant.name, applicant.phone, applicant.national_id, applicant.birth_date)
    return 2 + 2 * sum(other is not None for other in others)


def _strings_of_score(request: ScoreRequest) -> int:
    return 4 + _strings_of_applicant(request.applicant)


def _strings_of_batch(request: ScoreBatchRequest) -> int:
    return 3 + sum(2 + _strings_of_applicant(item.applicant) for item in request.items)


# ---- the closer look


def _slow(raw: bytes, kind: type[ScoreRequest] | type[ScoreBatchRequest]) -> tuple[str, list[ScoreItem]]:
    """As above, slowly: every fault is found, and a body that was only unusual is read."""
    values, product, checked, faults = _judged(raw, kind)
    if faults:
        raise RequestRefused(faults)
    items = values["items"] if kind is ScoreBatchRequest else [values]
    applicants = [msgspec.convert(item["applicant"], Applicant) for item in items]
    for at, applicant in enumerate(applicants):
        if not _may_be_born(applicant.birth_date):
            faults.append(_birth_fault(f"/items/{at}" if kind is ScoreBatchRequest else ""))
    if faults:
        raise RequestRefused(faults)
    return product, [ScoreItem(applicant.details(), one) for applicant, one in zip(applicants, checked, strict=True)]


def read_one(raw: bytes, kind: type[K], *, also: Callable[[Mapping[str, Any]], Sequence[Fault]]) -> tuple[K, Values]:
    """A body that asks for more about one applicant than a score: with `product`, `applicant` and `inputs`, and the inputs as checked.

    `also` finds what the types of the rest do not say. Raises BodyMalformed or RequestRefused with every fault."""
    values, _, checked, faults = _judged(raw, kind)
    if isinstance(values, dict):
        known = {fault.pointer for fault in faults}
        faults += [fault for fault in also(values) if fault.pointer not in known]
    if faults:
        raise RequestRefused(faults)
    request = msgspec.convert(values, kind)
    if not _may_be_born(request.applicant.birth_date):
        raise RequestRefused([_birth_fault("")])
    return request, checked[0]


def _judged(raw: bytes, kind: type[msgspec.Struct]) -> tuple[Any, str, list[Any], list[Fault]]:
    """The body's values without inputs, its product, the inputs of each item as checked, and every fault."""
    tree = strict.parse(raw)
    taken: list[tuple[str, bytes]] = []
    faults: list[Fault] = []
    values = strict.plain(_without_inputs(tree, "", taken, is_batch=kind is ScoreBatchRequest), faults)
    faults += faults_of(values, kind, known={fault.pointer for fault in faults})
    product = values.get("product") if isinstance(values, dict) else None
    checked: list[Any] = []
    if isinstance(product, str) and not any(fault.pointer == "/product" for fault in faults):
        checked = _checked(product, taken, faults)
    return values, str(product), checked, faults


def _birth_fault(place: str) -> Fault:
    return Fault(f"{place}/applicant/birth_date", "out_of_range", f"Give a day from {OLDEST_BIRTH} to today.")


def _checked(product: str, taken: Sequence[tuple[str, bytes]], faults: list[Fault]) -> list[Any]:
    """The inputs of each item as the contract reads them; what it refuses is added to `faults`."""

    doubled = {fault.pointer for fault in faults if fault.code == "duplicate_key"}

    def check(validator: Validator) -> tuple[list[Any], list[Fault]]:
        values: list[Any] = []
        found: list[Fault] = []
        for pointer, raw in taken:
            if pointer in doubled:
                continue
            if len(found) >= MOST_FAULTS:
                break
            try:
                values.append(validator.check_json(raw))
            except ContractViolation as violation:
                found += _faults_of(pointer, violation)
        return values, found

    try:
        values, found = registry.check_inputs(product, check)
    except ProductUnknown as unknown:
        faults.append(_no_product(unknown))
        return []
    faults += found
    return values


def _faults_of(pointer: str, violation: ContractViolation) -> list[Fault]:
    return [Fault(f"{pointer}{one.pointer}", one.code, one.detail) for one in violation.problems]


def _no_product(unknown: ProductUnknown) -> Fault:
    return Fault("/product", unknown.code, "There is no such product: GET /api/v1/products lists them.")


def _without_inputs(node: Any, pointer: str, taken: list[tuple[str, bytes]], *, is_batch: bool) -> Any:
    """The tree with each `inputs` taken out as text again, for the contract alone to judge."""
    if is_batch and isinstance(node, strict.Pairs):
        return strict.Pairs((name, _items_without_inputs(value, taken) if name == "items" else value) for name, value in node)
    if not isinstance(node, strict.Pairs):
        return node
    pairs = strict.Pairs()
    for name, value in node:
        if name == "inputs":
            taken.append((f"{pointer}/inputs", strict.write(value)))
            value = strict.Pairs()
        pairs.append((name, value))
    return pairs


def _items_without_inputs(items: Any, taken: list[tuple[str, bytes]]) -> Any:
    if not isinstance(items, list) or isinstance(items, strict.Pairs) or len(items) > ITEMS_AT_MOST:
        return items
    return [_without_inputs(item, f"/items/{at}", taken, is_batch=False) for at, item in enumerate(items)]
