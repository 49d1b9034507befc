"""Catalogues brought up to date with the sources, by Python alone: takes the place of Django's command, which needs gettext's programs."""

from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from partners.accounts.web.told import LIST
from portal.catalogues import Found, Key, NotExtractable, Texts, texts_of

HEADER = {
    "Project-Id-Version": "Vouch",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "8bit",
}
PLURALS = {
    "fr": "nplurals=2; plural=(n > 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "pt_BR": "nplurals=2; plural=(n > 1);",
    "sw": "nplurals=2; plural=(n != 1);",
}
NEED = "This needs polib, which is among the development requirements: run `make check` once, or install requirements/dev.txt."


class Command(BaseCommand):
    """`manage.py makemessages [--check]`."""

    help = "Brings locale/*/LC_MESSAGES/django.po up to date with the sources and compiles them; --check only says what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if a catalogue is not complete and up to date")
        parser.add_argument("--also", metavar="FILE", help="another catalogue: what ours lacks is taken from it")

    def handle(self, **options: Any) -> None:
        """Fails with --check where something is missing; without it only says so."""
        try:
            texts = texts_of(settings.BASE_DIR)
        except NotExtractable as error:
            raise CommandError(str(error)) from error
        told = faults(texts) if options["check"] else write(texts, also=options["also"])
        for line in told:
            self.stderr.write(line)
        if told and options["check"]:
            raise CommandError("Run `make messages`, then fill in what it names.")
        if not told:
            self.stdout.write("Every text has its translation.")


def languages() -> list[str]:
    """Those that have a catalogue: all but the one the sources are written in."""
    return [code.replace("-", "_") for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def catalogue_path(language: str) -> Path:
    """Where the catalogue is; its compiled form stands beside it."""
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / "django.po"


def compiled(language: str) -> bytes:
    """The compiled form of the catalogue as it is."""
    made: bytes = _polib().pofile(str(catalogue_path(language))).to_binary()
    return made


def updated(texts: Texts, language: str, also: str | None = None) -> Any:
    """The catalogue with exactly the texts of the sources, in the order of the alphabet, and the translations there were."""
    polib = _polib()
    path = catalogue_path(language)
    sources = [file for file in (also, str(path) if path.exists() else None) if file]    # the later goes before the earlier
    known = {
        (one.msgid, one.msgctxt or ""): one for file in sources for one in polib.pofile(file) if one.translated() and not one.obsolete
    }
    after = polib.POFile(wrapwidth=0)
    after.metadata = {**HEADER, "Language": language, "Plural-Forms": PLURALS[language]}
    for key in sorted(texts.found):
        after.append(_entry(polib, key, texts.found[key], known.get((key.text, key.context))))
    return after


def _entry(polib: Any, key: Key, found: Found, old: Any) -> Any:
    one = polib.POEntry(msgid=key.text, msgctxt=key.context or None, occurrences=[(name, "") for name in sorted(found.files)])
    if "%(" in key.text:
        one.flags.append("python-format")
    if old is not None:
        one.tcomment = old.tcomment
    if found.plural:
        one.msgid_plural = found.plural
        one.msgstr_plural = dict(old.msgstr_plural) if old is not None and old.msgid_plural else {0: "", 1: ""}
    elif old is not None:
        one.msgstr = old.msgstr or old.msgstr_plural.get(0, "")
    return one


def write(texts: Texts, also: str | None = None) -> list[str]:
    """Writes list, catalogues and their compiled forms; gives back what still lacks a translation."""
    (Path(settings.LOCALE_PATHS[0]) / LIST).write_text(_list(texts), "utf-8")
    missing = []
    for language in languages():
        path = catalogue_path(language)
        catalogue = updated(texts, language, also if also and f"Language: {language}" in Path(also).read_text("utf-8") else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{catalogue}\n", "utf-8")
        path.with_suffix(".mo").write_bytes(catalogue.to_binary())
        missing += [f"{language}: no translation of {one.msgid!r} ({one.occurrences[0][0]})" for one in catalogue.untranslated_entries()]
    return missing


def faults(texts: Texts) -> list[str]:
    """What is not as `write` would leave it."""
    found = [] if (Path(settings.LOCALE_PATHS[0]) / LIST).read_text("utf-8") == _list(texts) else [f"{LIST} is not up to date."]
    for language in languages():
        path = catalogue_path(language)
        catalogue = updated(texts, language)
        if not path.exists() or path.read_text("utf-8") != f"{catalogue}\n":
            found.append(f"{language}: the catalogue is not up to date with the sources.")
        if not path.with_suffix(".mo").exists() or path.with_suffix(".mo").read_bytes() != catalogue.to_binary():
            found.append(f"{language}: the compiled catalogue is not what the catalogue says.")
        found += [f"{language}: no translation of {one.msgid!r} ({one.occurrences[0][0]})" for one in catalogue.untranslated_entries()]
    return found


def _list(texts: Texts) -> str:
    return "".join(f"{one}\n" for one in texts.refusals)


def _polib() -> Any:
    try:
        return import_module("polib")
    except ModuleNotFoundError as error:
        raise CommandError(NEED) from error
