"""Typed readers of the environment: a value that cannot be read stops the start with one clear line."""

import os
from pathlib import Path

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class BadSetting(SystemExit):
    """A setting is missing or cannot be read; the process ends with its text."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")


def text(name: str, default: str = "") -> str:
    """The value of NAME, or the default when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    """NAME as yes or no."""
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadSetting(name, f"is {value!r}; write 1 or 0.")


def number(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """NAME as a whole number within its bounds."""
    value = text(name)
    if not value:
        return default
    try:
        parsed = int(value)
    except ValueError:
        raise BadSetting(name, f"is {value!r}; write a whole number.") from None
    if not minimum <= parsed <= maximum:
        raise BadSetting(name, f"is {parsed}; it must lie between {minimum} and {maximum}.")
    return parsed


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """NAME as a list, separated by commas."""
    return [word for part in text(name).split(",") if (word := part.strip())] or list(default)


def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
    """NAME as one of the given words, in small or capital letters."""
    value = text(name, default)
    found = next((choice for choice in choices if choice.lower() == value.lower()), None)
    if found is None:
        raise BadSetting(name, f"is {value!r}; write one of {', '.join(choices)}.")
    return found


def secret(name: str) -> str:
    """The secret NAME, or the content of the file named by NAME_FILE; empty when neither is set."""
    value = text(name)
    path = text(f"{name}_FILE")
    if value and path:
        raise BadSetting(name, f"and {name}_FILE are both set; keep one.")
    if not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{name}_FILE", f"names {path}, which cannot be read: {error}.") from None
