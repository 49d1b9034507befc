"""Every service that writes leaves an event: read from the source, so that one that forgets it is found without being called."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("audit", "partners", "scoring", "portal")
ALSO = (    # services by what they do
    "audit/verification.py", "audit/rotation.py", "audit/exporting.py", "audit/sealer.py", "audit/vault.py", "portal/record/bundle.py",
    "partners/accounts/links.py", "partners/accounts/passkeys.py", "partners/accounts/passwords.py", "partners/accounts/second_factor.py",
    "partners/accounts/sign_in.py", "partners/accounts/tokens.py", "partners/webhooks/courier.py", "partners/webhooks/delivering.py",
)  # fmt: skip
WRITING = {"save", "create", "bulk_create", "bulk_update", "update", "update_or_create", "get_or_create", "delete"}
RECORDING = {"audit.services.record", "audit.services.new_event"}
# What writes and is no sensitive act. Why not stands beside each; whoever adds a line says so to the one who reads it.
NOT_RECORDED = {
    "scoring.services.batches.forget_findings_about": "a part of an erasure, which is recorded",
    "scoring.services.jobs.forget_results_about": "a part of an erasure, which is recorded",
    "audit.services.announce": "what is announced was recorded by whoever announces it",
    "audit.services.keep_answer": "the answer of a request whose act is recorded in the same commit",
    "audit.services.forget_old_answers": "answers of a day ago, kept for repeats only",
    "audit.sealer.seal": "gives events their place; its checkpoints are published",
    "audit.vault.ensure_keyring": "a part of making a partner, which is recorded",
    "audit.vault.rotate_key": "audit.rotation.change_key records it",
    "audit.verification.ask_verification": "its result is the event",
    "partners.accounts.links.send_resets": "the mail of a reset that is recorded when it is asked for",
    "partners.accounts.passwords.forget_failures": "a counter, set back by a sign-in, which is recorded",
    "partners.accounts.passwords.forget_old_failures": "counters of days ago; each failure is an event of its own",
    "partners.accounts.passwords.may_ask_reset": "a counter; that somebody asked is recorded",
    "partners.accounts.passwords.note_failure": "a counter; the failure is recorded by whoever counts it",
    "partners.accounts.passwords.note_guess": "a counter; the failure is recorded by whoever counts it",
    "partners.accounts.sign_in.forget_old_sessions": "sessions that ended long ago",
    "partners.accounts.sign_in.session_of": "when a session was seen last",
    "partners.accounts.tokens.end_all": "its callers record why: a password, a role, a person switched off",
    "partners.accounts.tokens.end_family": "its caller records who signed out",
    "partners.accounts.tokens.end_session": "its callers record which session ended",
    "partners.accounts.tokens.issue_tokens": "a part of signing in, which is recorded",
    "partners.webhooks.delivering.forget_deliveries": "deliveries of a month ago",
    "partners.webhooks.delivering.give_back": "a step of the courier",
    "partners.webhooks.delivering.give_up": "a step of the courier; an endpoint that is paused is recorded",
    "partners.webhooks.delivering.hand_out": "a step of the courier, about announcements whose acts are recorded",
    "portal.approvals.services.figures.count_months": "sums over applications that are recorded one by one",
    "portal.exports.services.opening.forget_old_exports": "files that nobody took; their request is recorded",
    "portal.exports.services.opening.open_link": "the request and the download are recorded; a link alone opens nothing",
    "portal.approvals.services.views.save_view": "a person's own list, about nobody",
    "portal.approvals.services.views.remove_view": "a person's own list, about nobody",
    "scoring.services.figures.roll_up_hours": "sums over decisions that are recorded one by one",
    "scoring.services.jobs.add_chunk": "a worker's step of a job whose beginning and end are recorded",
    "scoring.services.jobs.end_split": "a worker's step of a job",
    "scoring.services.jobs.keep_hold": "a worker's step of a job",
    "scoring.services.jobs.give_back": "a worker's step of a job",
    "scoring.services.jobs.free_chunks": "a worker's step of a job",
    "scoring.services.jobs.finish_chunk": "a worker's step of a job",
    "scoring.services.jobs.forget_chunks": "contents of a job that is over; what was decided stays",
    "scoring.services.models.move": "its callers say what the move means",
    "scoring.services.shadow.shadow_since": "what a challenger would have decided: no decision, shown as none",
    "scoring.services.shadow.shadow_outstanding": "what a challenger would have decided: no decision, shown as none",
}


@dataclass
class Function:
    """One function, or a class with all its methods: what it calls, and whether it writes by itself."""

    name: str
    is_public: bool
    calls: set[str] = field(default_factory=set)
    writes: bool = False


def service_modules() -> list[Path]:
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py") if path.stem == "services" or path.parent.name == "services"]
    return sorted({*found, *(ROOT / name for name in ALSO)} - {path for path in found if path.stem == "__init__"})


def functions(source: str, module: str) -> Iterator[Function]:
    """The functions of a module with the full names of what they call."""
    tree = ast.parse(source)
    names = dict(_imported(tree)) | {one.name: f"{module}.{one.name}" for one in tree.body if isinstance(one, _NAMED)}
    for one in tree.body:
        if isinstance(one, _NAMED):
            function = Function(f"{module}.{one.name}", not one.name.startswith("_") and not isinstance(one, ast.ClassDef))
            for node in ast.walk(one):
                if isinstance(node, ast.Attribute | ast.Name):
                    called = _called(node, names)
                    function.calls |= {called} if called else set()
                    function.writes |= called == "django.db.transaction.atomic"
                function.writes |= _writes(node)
            yield function


def _writes(node: ast.AST) -> bool:
    """Whether this saves a row, changes rows through a query, or is a statement that does."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(_STATEMENT.match(node.value))
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in WRITING:
        return False
    return node.func.attr == "save" or bool(node.keywords) or "objects" in ast.dump(node.func)


_STATEMENT = re.compile(r"\s*(WITH\b.*)?(INSERT INTO|UPDATE|DELETE FROM) ", re.DOTALL)
_NAMED = (ast.FunctionDef, ast.ClassDef)


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _called(node: ast.Attribute | ast.Name, names: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    return f"{names[node.value.id]}.{node.attr}" if isinstance(node.value, ast.Name) and node.value.id in names else ""


def known() -> dict[str, Function]:
    found: dict[str, Function] = {}
    for path in service_modules():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found |= {one.name: one for one in functions(path.read_text(), module)}
    return found


def reaches(function: Function, wanted: set[str], every: Mapping[str, Function]) -> bool:
    """Whether it calls one of these, by itself or through other services."""
    seen, waiting = set(), [function.name]
    while waiting:
        name = waiting.pop()
        if name in wanted:
            return True
        if name not in seen and name in every:
            seen.add(name)
            waiting += every[name].calls
    return False


def silent(every: Mapping[str, Function]) -> set[str]:
    """Public functions that write, by themselves or through what they call, and record nothing."""
    writing = {name for name, one in every.items() if one.writes}
    public = [one for one in every.values() if one.is_public]
    return {one.name for one in public if reaches(one, writing, every) and not reaches(one, RECORDING, every)}


def test_every_service_that_writes_records_an_event_or_says_why_not() -> None:
    assert silent(known()) == set(NOT_RECORDED)


@pytest.mark.parametrize(
    ("body", "is_silent"),
    [
        ("Thing.objects.create(name='x')", True),
        ("thing.save()", True),
        ("_store(thing)", True),
        ("with transaction.atomic():\n        pass", True),
        ("thing.save()\n    record(action='a.b')", False),
        ("_store(thing)\n    _tell(thing)", False),
        ("return thing.name", False),
    ],
)
def test_a_service_that_forgets_its_event_is_found(body: str, is_silent: bool) -> None:
    source = (
        "from django.db import transaction\nfrom audit.services import record\n"
        "def _store(thing):\n    thing.save()\n"
        "def _tell(thing):\n    record(action='a.b')\n"
        f"def change_thing(thing):\n    {body}\n"
    )

    found = silent({one.name: one for one in functions(source, "shop.services")})

    assert found == ({"shop.services.change_thing"} if is_silent else set())
