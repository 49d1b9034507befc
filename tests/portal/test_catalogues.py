"""Nothing on a page is without its translation: catalogues, templates, and the pages as a French reader meets them."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.template.backends.django import get_installed_libraries
from django.template.base import DebugLexer, TokenType
from django.template.library import import_library
from django.template.loader import get_template
from django.test import Client

from portal.catalogues import NotExtractable, texts_of
from portal.management.commands.makemessages import catalogue_path, compiled, faults, languages
from tests.conftest import INPUTS, House
from tests.portal.test_pages import FILES, TABLE, path_of, things

HELP = settings.BASE_DIR / "templates" / "help"    # written in each language, not translated
TEMPLATES = sorted(path for path in (settings.BASE_DIR / "templates").rglob("*.html") if HELP not in path.parents)
# The same in every language.
NAMES = {"Vouch", "API", "AUC", "KS", "Brier", "SHA-256", "CSV", "PDF", "XLSX", "JSON", "OpenAPI", "Ed25519", "ms"}
SAID_ASIDE = ("aria-label", "title", "placeholder", "alt", "data-l")
NOT_PROSE = {"script", "style", "code", "kbd", "pre"}
NO_PAGES = FILES | {"docs", "redoc", "openapi"}
CLASSES = re.compile(r"{% block bodyclass %}[a-z -]*{% endblock %}")    # what a page's body is called in CSS
WHOLE_PAGES = sorted(name for (name, method), access in TABLE.items() if method == "GET" and access.status == 200 and name not in NO_PAGES)


# catalogues


def test_the_catalogues_hold_exactly_the_texts_of_the_sources_each_translated() -> None:
    assert faults(texts_of(settings.BASE_DIR)) == []


@pytest.mark.parametrize("language", languages())
def test_translations_have_the_places_of_their_texts(language: str) -> None:
    wrong = []
    for one in polib.pofile(str(catalogue_path(language))):
        for text in one.msgstr_plural.values() if one.msgid_plural else (one.msgstr,):
            wanted = _places(one.msgid_plural or one.msgid)
            if _places(text) != wanted and not (one.msgid_plural and _places(text) == _places(one.msgid)):
                wrong.append((one.msgid, text))

    assert wrong == []


def _places(text: str) -> Counter[str]:
    return Counter(re.findall(r"%\(\w+\)[sd]|\{\w+\}|</?\w+[^>]*>", text.replace("%%", "")))


@pytest.mark.parametrize("language", languages())
def test_the_compiled_catalogue_says_what_the_catalogue_says(language: str) -> None:
    assert catalogue_path(language).with_suffix(".mo").read_bytes() == compiled(language)


def test_a_text_made_on_the_spot_cannot_be_marked(tmp_path: Path) -> None:
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "made.py").write_text('said = _(f"Hello {name}")\n')

    with pytest.raises(NotExtractable, match=r"portal/made\.py:1"):
        texts_of(tmp_path)


def test_texts_are_found_in_templates_and_modules_with_context_and_plural(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.html").write_text(
        "{% translate 'One thing' %} {% translate \"Open\" context \"verb\" %} "
        "{% blocktranslate count n=n %}A row{% plural %}{{ n }} rows{% endblocktranslate %} {{ x|default:_('Nothing') }}"
    )
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "errors.py").write_text('raise Wrong(f"There is no row {number} of {one.name}.")\n')

    texts = texts_of(tmp_path)

    ours = {(key.text, key.context, one.plural) for key, one in texts.found.items() if "portal/errors.py" not in one.files}
    assert ours == {
        ("One thing", "", ""), ("Open", "verb", ""), ("A row", "", "%(n)s rows"), ("Nothing", "", ""),
        ("There is no row %(number)s of %(name)s.", "", ""),
    }  # fmt: skip
    assert "There is no row %(number)s of %(name)s." in texts.refusals


# templates


class _Prose(HTMLParser):
    """The texts of a page: between its tags, and in what its tags say aside. What names its own language is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own_language = tag != "html" and "lang" in dict(attrs)
        self._inside += [tag] if tag in NOT_PROSE or own_language else []
        self.found += [value for name, value in attrs if name in SAID_ASIDE and value]

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside and data.strip():
            self.found.append(data.strip())


def prose_of(page: str) -> list[str]:
    parser = _Prose()
    parser.feed(page)
    parser.close()
    return parser.found


def _written_in(template: str) -> Iterator[str]:
    """What the template says itself, outside its tags and what they translate."""
    kept, is_inside = [], ""
    for token in DebugLexer(template).tokenize():
        name = token.contents.split(" ")[0]
        if token.token_type == TokenType.BLOCK and (name in {"blocktranslate", "blocktrans", "comment"} or name == is_inside):
            is_inside = "" if name == is_inside else f"end{name}"
        elif token.token_type == TokenType.TEXT and not is_inside:
            kept.append(token.contents)
    for text in prose_of("".join(kept)):
        if re.fullmatch(r"[a-z0-9_.]*[_.][a-z0-9_.]+", text):
            continue    # an example of a code
        words = [word for word in re.findall(r"[^\W\d_][\w-]*", text) if word not in NAMES]
        if any(len(word) > 1 for word in words):
            yield text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(settings.BASE_DIR / "templates").as_posix())
def test_a_template_says_nothing_that_is_not_marked(path: Path) -> None:
    assert list(_written_in(CLASSES.sub("", path.read_text("utf-8")))) == []


def test_every_help_page_is_written_in_every_language() -> None:
    written = {code: {path.name for path in (HELP / code).glob("*.html")} for code, _name in settings.LANGUAGES}

    assert all(written.values())
    assert len(set(map(frozenset, written.values()))) == 1


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(settings.BASE_DIR / "templates").as_posix())
def test_a_template_loads_every_tag_and_filter_that_it_uses(path: Path) -> None:
    assert get_template(path.relative_to(settings.BASE_DIR / "templates").as_posix())


def test_no_two_libraries_of_ours_name_a_filter_or_tag_alike() -> None:
    """Else the order of loading decides which one a template gets."""
    libraries = [import_library(path) for path in get_installed_libraries().values() if path.startswith(("portal.", "scoring."))]
    ours = [name for one in libraries for name in (*map("|{}".format, one.filters), *one.tags)]

    assert {"|money", "icon"} <= set(ours)
    assert [name for name, count in Counter(ours).items() if count > 1] == []


# pages


def english() -> dict[str, str]:
    """Texts without places whose French is another one."""
    entries = polib.pofile(str(catalogue_path("fr")))
    return {one.msgid: one.msgstr for one in entries if "%(" not in one.msgid and one.msgstr and one.msgstr != one.msgid}


def unsaid(page: str, texts: dict[str, str]) -> set[str]:
    """English texts of ours that stand on the page, other than names of languages in themselves and of the product's inputs."""
    prose = prose_of(page)
    whole = {text.strip(" .:,…") for text in prose}
    said = "\n".join(prose)
    return {text for text in texts if text in whole or (len(text.split()) > 3 and text in said)} - {*INPUTS, "English"}


@pytest.fixture
def french(north: House) -> Client:
    """An administrator's browser that reads French."""
    client = north.client("admin")
    assert client.post("/language", {"language": "fr"}).status_code == 302
    return client


def test_the_test_of_pages_finds_english_words(north: House) -> None:
    assert {"Overview", "Sign out", "Change the password"} <= unsaid(north.client("admin").get("/account").content.decode(), english())


@pytest.mark.parametrize("name", WHOLE_PAGES)
def test_a_page_in_french_says_nothing_in_english(north: House, french: Client, name: str) -> None:
    answer = french.get(path_of(name, **things(north)))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<html lang="fr"' in page
    assert unsaid(page, english()) == set()


def test_a_form_refused_in_french_says_nothing_in_english(north: House, french: Client) -> None:
    found = {}
    for path, fields in {
        "/decisions/new": {"product": north.product, "input_0": "many"}, "/account": {"current": "x", "new": "short"},
        "/models/market-loan/1/act": {"act": "nonsense"}, f"/products/{north.product}/rules": {"act": "save"},
    }.items():  # fmt: skip
        answer = french.post(path, fields)
        found[path] = (answer.status_code, unsaid(answer.content.decode(), english()))

    assert found == {path: (422, set()) for path in found}
