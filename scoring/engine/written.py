"""What a person wrote into a definition: every member known, of its type and there if it must be; or one sentence what to repair."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from functools import cache
from typing import Any, get_type_hints

import msgspec

Texts = list[str | int | float]    # a category may be written as a number
_WORDS: tuple[tuple[Any, str], ...] = (
    (str, "a text"), (str | None, "a text or null"), (bool, "true or false"), (int, "a whole number"), (float, "a number"),
    (float | None, "a number or null"), (Texts, "a list of texts"), (list[float], "a list of numbers"), (list[Any], "a list"),
    (dict[str, Any], "an object, {...}"), (dict[str, str], "an object of texts by language, such as {\"en\": \"...\"}"),
    (dict[str, dict[str, str]], "an object of objects of texts, such as {\"...\": {\"en\": \"...\"}}"),
)    # fmt: skip
_LISTS = {tuple[str, ...]: Texts, tuple[float, ...]: list[float]}


class DefinitionRefused(ValueError):
    """A contract, feature, rule or text that a person wrote cannot be used; says where and how to repair it."""

    code = "definition_refused"


@cache
def kinds_of(kind: type) -> Mapping[str, tuple[Any, bool]]:
    """What each member of this dataclass may be when it is written as JSON, and whether it must be there."""
    hints = get_type_hints(kind)
    return {one.name: (_LISTS.get(hints[one.name], hints[one.name]), one.default is MISSING) for one in fields(kind)}


def check_members(data: Any, kinds: Mapping[str, tuple[Any, bool]], *, where: str) -> None:
    """Every member is known, of its type and there if it must be. Raises DefinitionRefused with where, what and how to repair it."""
    if not isinstance(data, Mapping):
        raise DefinitionRefused(f"{where}: write an object, {{...}}, not {_shown(data)}.")
    if isinstance(data.get("name"), str):
        where = f"{where.partition(' ')[0]} {data['name']!r}"
    for name, value in data.items():
        if name not in kinds:
            raise DefinitionRefused(f"{where}: there is no key {name!r}; the keys are {', '.join(kinds)}.")
        try:
            msgspec.convert(list(value) if isinstance(value, tuple) else value, kinds[name][0])
        except msgspec.ValidationError as error:
            raise DefinitionRefused(f"{where}: {name!r} must be {_in_words(kinds[name][0])}, not {_shown(value)}.") from error
    for name, (kind, is_needed) in kinds.items():
        if is_needed and name not in data:
            raise DefinitionRefused(f"{where}: the key {name!r} is missing; write {_in_words(kind)} there.")


def _in_words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    return next((words for known, words in _WORDS if known == kind), "a value")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}..."
