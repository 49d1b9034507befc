"""Batches in the browser: a table is brought, matched, checked, scored, and taken away; what is wrong is told before anything is stored."""

import csv
import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event, Outbox
from partners.accounts.models import User
from partners.tenancy import public_context, tenant_context
from scoring import registry, selectors
from scoring.engine.writing import SheetWriter
from scoring.models import Batch, Channel, Decision, Job, Outcome
from scoring.services import batches, files, jobs, uploads, work
from scoring.services.score import score_applicants
from scoring.web import batches as pages
from scoring.web.batch_words import fix_words, problem_words
from tests.conftest import House
from tests.scoring.factories import SLUG, a_batch, add_product, an_item

HEADER = "Applicant ref,Income,amount,months,trade,born,member,notes"
GOOD = [f"B-{at},{900 + at},3000,14,food,1990-02-28,true,x" for at in range(8)]


@pytest.fixture
def stalls(in_north: House) -> House:
    add_product()
    return in_north


def words(answer: Any) -> str:
    return " ".join(unescape(answer.content.decode().partition("<main")[2].partition("</main>")[0]).split())


def upload(client: Client, content: str | bytes, *, name: str = "loans.csv", kind: str = "applicants") -> Any:
    raw = content.encode() if isinstance(content, str) else content
    with public_context():
        return client.post("/batches/new", {"kind": kind, "product": SLUG, "table": SimpleUploadedFile(name, raw)})


def got(client: Client, path: str, **query: str) -> Any:
    with public_context():
        return client.get(path, query)


def send(client: Client, path: str, typed: dict[str, str] | None = None) -> Any:
    with public_context():
        return client.post(path, typed or {})


def matched(client: Client, address: str, **changed: str) -> Any:
    """The columns as they were guessed, or changed by hand, sent."""
    page = got(client, address)
    typed = {name: field.initial for name, field in page.context["form"].fields.items()}
    return send(client, address, {**typed, **changed})


def bring(client: Client, lines: list[str], **options: Any) -> tuple[str, str]:
    """The table is brought, matched and checked: the batch's address and its page."""
    answer = upload(client, "\n".join(lines) + "\n", **options)
    assert answer.status_code == 302, words(answer)
    address = answer["Location"].removesuffix("/columns")
    checked = matched(client, f"{address}/columns")
    assert checked.status_code == 302, words(checked)
    return address, words(got(client, address))


def as_a_worker(job: Job) -> None:
    """What a worker of the queue does about a job."""
    while work.work_on(job):
        pass
    work.end(job)


def file_of(answer: Any) -> bytes:
    with tenant_context("t_north"):
        return b"".join(answer.streaming_content)


def uploaded() -> list[str]:
    return sorted(path.name for path in uploads.folder().iterdir())


@pytest.fixture(autouse=True)
def _empty_folder(request: pytest.FixtureRequest) -> None:
    if "stalls" in request.fixturenames:
        request.getfixturevalue("stalls")
        for path in uploads.folder().iterdir():
            path.unlink()


def test_an_officer_scores_a_table(stalls: House) -> None:
    client = stalls.client("officer")

    address, page = bring(client, [HEADER, *GOOD])
    assert "All 8 rows are good" in page
    assert Decision.objects.count() == 0
    send(client, address)
    page = words(got(client, address))

    assert "8 applicants scored" in page
    assert Decision.objects.filter(channel=Channel.FILE).count() == 8
    figures = Batch.objects.get().figures or {}
    assert sum(figures["outcomes"].values()) == sum(figures["bins"]) == 8
    assert uploaded() == []


def test_a_batch_is_announced_once_when_it_was_worked_on_and_not_when_it_was_checked(stalls: House) -> None:
    client = stalls.client("officer")
    told = Outbox.objects.filter(topic="batch.completed")
    address, _ = bring(client, [HEADER, *GOOD])
    assert not told.exists()

    send(client, address)
    got(client, address)

    batch, row = Batch.objects.get(), told.get()
    assert row.object_id == str(batch.id)
    assert row.body == {"job_id": str(batch.working_id), "kind": "score_file", "state": "done", "total": 8, "done": 8, "failed": 0}


def test_the_figures_are_those_of_the_decisions(stalls: House) -> None:
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD, "B-9,1,200000,,,,,"])
    send(client, address)

    figures = Batch.objects.get().figures or {}
    assert f"/exports/new?list=batch-figures&amp;batch={address.split('/')[-1]}" in got(client, address).content.decode()

    made = list(Decision.objects.all())
    approved = [one.probability for one in made if one.outcome == "approve"]
    assert figures["mean_probability"] == pytest.approx(sum(one.probability for one in made) / 9)
    assert figures["expected_default_share"] == (pytest.approx(sum(approved) / len(approved)) if approved else None)
    assert {code: count for code, count in figures["outcomes"].items() if count} == {
        code: sum(one.outcome == code for one in made) for code in {one.outcome for one in made}
    }


def test_a_check_names_row_column_what_was_read_and_the_fix(stalls: House) -> None:
    client = stalls.client("officer")
    wrong = ["B-x,KES 48 200,3000,14,food,1990-02-28,true,", "B-y,900,3000,14,fish,03/04/1991,true,", ",900,3000,,,,,", "short,1"]
    lines = [HEADER, GOOD[0], *wrong]

    address, page = bring(client, lines)

    assert "4 of 5 rows need a correction" in page
    rows = re.findall(r"<tr> ?<th scope=\"row\">(\d+)</th>.*?</tr>", page)
    assert rows == ["3", "4", "4", "5", "6"]
    assert "KES 48 200" in page
    assert "03/04/1991" in page
    assert Decision.objects.count() == 0
    found = list(csv.reader(io.StringIO(file_of(got(client, f"{address}/errors", **{"as": "csv"})).decode("utf-8-sig"))))
    assert found[0] == ["row", "column", "we read", "what is wrong", "what to do"]
    assert [one[:3] for one in found[1:]] == [
        ["3", "Income", "KES 48 200"], ["4", "trade", "fish"], ["4", "born", "03/04/1991"], ["5", "Applicant ref", ""], ["6", "", ""],
    ]  # fmt: skip
    assert all(one[3] and one[4] for one in found[1:])


def test_what_a_check_says_is_in_the_readers_language(stalls: House) -> None:
    client = stalls.client("officer")
    send(client, "/language", {"language": "fr"})
    wrong = ["B-x,KES 48 200,3000,14,fish,1990-02-28,true,", "B-y,,3000,700,food,1990-02-28,true,", ",900,3000,,,,,", "short,1"]

    address, page = bring(client, [HEADER, GOOD[0], *wrong, 'B-z,"=1+1",3000,14,food,1990-02-28,true,'])
    found = list(csv.reader(io.StringIO(file_of(got(client, f"{address}/errors", **{"as": "csv"})).decode("utf-8-sig"))))

    assert found[0] == ["ligne", "colonne", "nous lisons", "ce qui ne va pas", "que faire"]
    for _, _, _, what, fix in found[1:]:
        said = " ".join(fix.split())
        assert what in page
        assert said in page
        assert not {"is", "has", "the", "Send", "Write", "Give", "Make", "cells", "cannot"} & {*what.split(), *said.split()}, (what, fix)
    columns = words(got(client, f"{address}/columns"))
    assert "obligatoire" in columns
    assert "required" not in columns


def test_each_figure_of_a_batch_leads_to_its_rows(stalls: House) -> None:
    client = stalls.client("officer")
    other, _ = bring(client, [HEADER, "C-1,1,200000,,,,,"])
    send(client, other)
    address, _ = bring(client, [HEADER, *GOOD, "B-9,1,200000,,,,,"])
    send(client, address)
    shown = unescape(got(client, address).content.decode())

    bars = re.findall(r'<a href="(/decisions\?[^"]+)" aria-label="Scores \d+ to \d+: (one|\d+)', shown)
    counts = re.findall(r'<a href="(/decisions\?[^"]+&(?:outcome|band)=\w+)">(\d+)</a>', shown)

    assert sum(1 if count == "one" else int(count) for _, count in bars) == 9
    assert sum(int(count) for _, count in counts) == 18
    for link, count in (*bars, *counts):
        path, _, query = link.partition("?")
        page = got(client, path, **dict(parse_qsl(query))).context["page"]
        assert len(page.decisions) == (1 if count == "one" else int(count)), link
        assert {one.reference for one in page.decisions} <= {f"B-{at}" for at in range(10)}
    policy = registry.current(SLUG).policy
    assert f">{policy.approve_from}</text>" in shown
    assert got(client, "/decisions", batch=str(uuid.uuid4())).status_code == 422


def test_the_good_rows_can_be_scored_without_the_others(stalls: House) -> None:
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD, "B-x,oops,3000,,,,,"])

    send(client, address)

    page = words(got(client, address))
    assert "8 applicants scored" in page
    assert {one.reference for one in selectors.decisions().decisions} == {f"B-{at}" for at in range(8)}


def test_starting_twice_scores_once(stalls: House) -> None:
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD])

    assert [send(client, address).status_code for _ in range(3)] == [302, 302, 302]

    assert Decision.objects.count() == 8
    assert Event.objects.filter(action=Action.BATCH_STARTED).count() == 1
    assert matched(client, f"{address}/columns").status_code == 409


def test_nothing_starts_before_it_was_checked(stalls: House) -> None:
    client = stalls.client("officer")
    address = upload(client, "\n".join([HEADER, *GOOD]))["Location"].removesuffix("/columns")

    assert send(client, address).status_code == 409

    assert Job.objects.count() == 0


def test_a_batch_without_a_good_row_cannot_be_started(stalls: House) -> None:
    client = stalls.client("officer")
    address, page = bring(client, [HEADER, "B-1,oops,3000,,,,,"])

    assert "1 of 1 rows need a correction" in page
    assert "Score 0 rows" not in page
    assert send(client, address).status_code == 409


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_results_are_taken_away_as_a_file(stalls: House, kind: str) -> None:
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD, '"=HYPERLINK(1)",900,3000,,,,,', "+27 x,900,3000,,,,,"])
    send(client, address)

    answer = got(client, f"{address}/result", **{"as": kind})
    content = file_of(answer)

    assert f'filename="loans-decisions.{kind}"' in answer["Content-Disposition"]
    event = Event.objects.get(action=Action.BATCH_DOWNLOADED)
    assert (event.detail, event.actor_kind) == ({"what": f"result.{kind}"}, "user")
    if kind == "json":
        rows = json.loads(content)["data"]
        assert [one["reference"] for one in rows] == [f"B-{at}" for at in range(8)] + ["+27 x"]
        assert {one["decision_id"] for one in rows} == {str(one.id) for one in Decision.objects.all()}
    elif kind == "csv":
        found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        assert [one["reference"] for one in found] == [f"B-{at}" for at in range(8)] + ["'+27 x"]
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            text = book.read("xl/worksheets/sheet1.xml").decode()
        assert text.count("<row>") == 10
        assert "<f" not in text
        assert ">'+27 x<" in text


def test_the_mapping_is_remembered_for_the_same_header(stalls: House) -> None:
    client = stalls.client("officer")
    header = "Nani,Mapato,Kiasi"
    first = upload(client, f"{header}\nB-1,900,3000\n")["Location"]
    fields = {field.label: name for name, field in got(client, first).context["form"].fields.items()}
    chosen = {fields["reference"]: "Nani", fields["income"]: "Mapato", fields["amount"]: "Kiasi"}
    assert send(client, first, chosen).status_code == 302

    again = got(client, upload(client, f"{header}\nB-2,900,3000\n")["Location"]).context["form"]

    assert {name: field.initial for name, field in again.fields.items() if field.initial} == chosen


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"income": ""}, "This is needed: choose its column."),
        ({"income": "amount"}, "This column is chosen twice"),
        ({"income": "no such"}, "no such"),
    ],
)
def test_columns_that_cannot_be_matched_are_told_at_their_field(stalls: House, changed: dict[str, str], told: str) -> None:
    client = stalls.client("officer")
    address = upload(client, "\n".join([HEADER, *GOOD]))["Location"]
    fields = {field.label: name for name, field in got(client, address).context["form"].fields.items()}

    answer = matched(client, address, **{fields[name]: column for name, column in changed.items()})

    assert answer.status_code == 422
    assert told in words(answer)
    assert Job.objects.count() == 0


def test_a_file_that_cannot_be_used_is_told_and_not_kept(stalls: House) -> None:
    client = stalls.client("officer")
    bomb = io.BytesIO()
    with SheetWriter(bomb) as book:
        book.sheet("Table", [["id"], ["A"]])
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/a.bin", bytes(200 * 1024**2))
    brought = {
        ("loans.xlsx", bomb.getvalue()): "unpacks to 200 MiB", ("loans.xlsm", b"PK\x03\x04"): "macros", ("loans.xls", b"x"): "old .xls",
        ("loans.csv", b"\x89PNG\r\n\x1a\n\x00\x00"): "binary", ("loans.csv", b""): "The file is empty", ("loans.csv", b"a,b\n"): "no rows",
        ("loans.pdf", b"%PDF"): "neither .csv nor .xlsx", ("loans.csv", b"a,a\n1,2\n"): "more than one column",
    }  # fmt: skip

    for (name, content), told in brought.items():
        answer = upload(client, content, name=name)
        assert (answer.status_code, told in words(answer)) == (422, True), (name, words(answer))

    assert "Choose a table." in words(send(client, "/batches/new", {"kind": "applicants", "product": SLUG}))
    assert (Batch.objects.count(), uploaded()) == (0, [])


def test_why_a_file_cannot_be_used_is_said_in_the_readers_language(stalls: House) -> None:
    User.objects.filter(role="officer").update(language="fr")
    client = stalls.client("officer")
    brought = {
        ("loans.xlsx", b"PK\x03\x04rubbish"): "Le classeur est endommagé. Ouvrez-le dans un tableur, enregistrez-le à nouveau, ou",
        ("loans.csv", b"a,b\n"): "Le fichier a un en-tête et aucune ligne. Ajoutez une ligne par demandeur.",
        ("loans.csv", b"a,a\n1,2\n"): "Ligne 1, colonne « a » : le nom est porté par plusieurs colonnes. Renommez l’une d’elles.",
        ("loans.csv", "a,b\né,1\n".encode("latin-1")): "octet 0xe9 à la ligne 2",
    }  # fmt: skip

    for (name, content), told in brought.items():
        answer = upload(client, content, name=name)
        assert (answer.status_code, told in words(answer)) == (422, True), (name, words(answer))
    with translation.override("fr"):    # as the rows of a table that is read later
        assert problem_words("has 3 cells, the header has 12,500") == "a 3 cellules, l’en-tête en a 12\N{NO-BREAK SPACE}500"
        assert fix_words("save the sheet as values and export it again").startswith("Enregistrez la feuille en valeurs")


def test_a_file_that_is_too_large_is_told_and_not_kept(stalls: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.web.receiving.MOST_BYTES", 1000)

    answer = upload(stalls.client("officer"), "a,b\n" + "1,2\n" * 500)

    assert answer.status_code == 422
    assert "larger than 100 MB" in words(answer)
    assert uploaded() == []


def test_a_form_without_its_token_leaves_no_file(stalls: House) -> None:
    client = Client(HTTP_HOST=stalls.host, enforce_csrf_checks=True)
    stalls.sign_in(client, stalls.users["officer"])
    got(client, "/batches/new")    # with its cookie, so that the token is looked for in the form, and the form read

    answer = upload(client, "\n".join([HEADER, *GOOD]))

    assert answer.status_code == 403
    assert (Batch.objects.count(), uploaded()) == (0, [])


def test_a_large_table_waits_for_a_worker_and_shows_how_far_it_is(stalls: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SMALL", 10)
    monkeypatch.setattr(files, "ROWS_AT_A_TIME", 3)
    client = stalls.client("officer")
    address, page = bring(client, [HEADER, *GOOD])
    job = Job.objects.get()

    assert "Checking every row" in page
    assert "data-live" in page
    assert "Look again" in page
    assert jobs.unattended() == [job.id]
    batches.read_upload(job)
    job.refresh_from_db()
    work.work_on(job)
    assert "3 of 8 rows" in words(got(client, address))

    as_a_worker(job)

    page = words(got(client, address))
    assert "All 8 rows are good" in page
    assert "data-live" not in page


def test_a_table_that_is_gone_ends_its_job_with_a_word(stalls: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SMALL", 10)
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD])
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -60)
    uploads.forget_old_uploads()

    as_a_worker(Job.objects.get())

    page = words(got(client, address))
    assert "The table cannot be used" in page
    assert "Upload it again" in page


def test_results_are_gone_when_the_chunks_are(stalls: House) -> None:
    client = stalls.client("officer")
    address, _ = bring(client, [HEADER, *GOOD])
    send(client, address)
    for job in Job.objects.all():
        jobs.forget_chunks(job)

    page = words(got(client, address))

    assert "8 applicants scored" in page
    assert "The result was kept for a day and is gone" in page
    assert got(client, f"{address}/result").status_code == 404


def test_who_may_not_know_applicants_sees_no_cell(stalls: House) -> None:
    address, _ = bring(stalls.client("officer"), [HEADER, "B-1,KES 48 200,3000,,,,,"])
    viewer = stalls.client("viewer")

    page = words(got(viewer, address))

    assert "KES 48 200" not in page
    assert "1 of 1 rows need a correction" in page
    assert [got(viewer, f"{address}/{what}").status_code for what in ("errors", "result", "columns")] == [403, 403, 403]
    assert send(viewer, address).status_code == 403


def test_what_a_check_quotes_is_sealed(stalls: House) -> None:
    bring(stalls.client("officer"), [HEADER, "B-1,canary-5512,3000,,,,,"])

    batch = Batch.objects.get()

    assert b"canary-5512" not in bytes(batch.sealed_findings or b"")
    assert batches.findings(batch).first[0].read == "canary-5512"
    assert not Event.objects.filter(detail__icontains="canary").exists()


def test_a_template_comes_back_as_it_is(stalls: House) -> None:
    client = stalls.client("officer")
    text = file_of(got(client, f"/batches/template/{SLUG}")).decode("utf-8-sig")

    header, about, *rest = list(csv.reader(io.StringIO(text)))
    _, page = bring(client, [text.strip(), ",".join(["B-1", "900", "3000", "14", "food", "1990-02-28", "true"])])

    assert header == ["reference", "income", "amount", "months", "trade", "born", "member"]
    assert about[0].startswith("# ")
    assert rest == []
    assert "All 1 rows are good" in page
    assert got(client, f"/batches/template/{SLUG}", **{"as": "pdf"}).status_code == 404


def test_a_workbook_is_scored_like_a_table(stalls: House) -> None:
    client = stalls.client("officer")
    book = io.BytesIO()
    with SheetWriter(book) as writer:
        writer.sheet("Table", [HEADER.split(","), *(line.split(",") for line in GOOD)])
    address = upload(client, book.getvalue(), name="loans.xlsx")["Location"].removesuffix("/columns")
    matched(client, f"{address}/columns")

    send(client, address)

    assert "8 applicants scored" in words(got(client, address))


def test_the_list_shows_each_batch_and_goes_on(stalls: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    for at in range(3):
        a_batch(SLUG, "reference,income\nA-1,5\n", name=f"table-{at}.csv")
    client = stalls.client("viewer")

    first = got(client, "/batches")
    older = got(client, "/batches", before=str(first.context["next"]))

    assert re.findall(r"table-\d", words(first)) == ["table-2", "table-1"]
    assert re.findall(r"table-\d", words(older)) == ["table-0"]


def test_another_partners_batch_is_not_there(stalls: House, south: House) -> None:
    with tenant_context(south.partner):
        add_product()
        theirs = a_batch(SLUG, "reference,income\nA-1,5\n").id

    assert got(stalls.client("admin"), f"/batches/{theirs}").status_code == 404
    with tenant_context(stalls.partner):
        assert not uploads.place_of(theirs).exists()


# how loans turned out


def decided(*references: str) -> list[uuid.UUID]:
    made = score_applicants(product_slug=SLUG, items=[an_item(one) for one in references], actor=SYSTEM, channel=Channel.API)
    return [one.id for one in made]


TODAY = datetime.now(UTC).date().isoformat()


def test_outcomes_are_brought_as_a_table(stalls: House) -> None:
    one, two = decided("A-1", "A-2")
    client = stalls.client("officer")
    rows = ["A-1,Repaid,{},", "A-2,written off,{},12500.5", "A-3,repaid,{},", "A-1,gone,{},"]
    lines = ["Reference,Outcome,Date,Amount", *(row.format(TODAY) for row in rows)]

    address, page = bring(client, lines, kind="outcomes")
    assert "2 of 4 rows need a correction" in page
    assert Outcome.objects.count() == 0
    send(client, address)

    assert "2 outcomes recorded" in words(got(client, address))
    assert [one.kind for one in selectors.outcomes_of(one)] == ["repaid"]
    (known,) = selectors.outcomes_of(two)
    assert (known.kind, known.value, f"{known.amount} {known.currency}", known.source) == ("written_off", 1, "12500.5000 KES", "file")
    again, _ = bring(client, lines, kind="outcomes")
    send(client, again)
    assert Outcome.objects.count() == 2


def test_a_chunk_of_outcomes_that_lost_its_lease_stores_nothing(stalls: House, monkeypatch: pytest.MonkeyPatch) -> None:
    decided("A-1")
    address, _ = bring(stalls.client("officer"), ["reference,kind,observed_on", f"A-1,repaid,{TODAY}"], kind="outcomes")
    batch = batches.start_batch(batch_id=Batch.objects.get().id, currency="KES", actor=SYSTEM)
    monkeypatch.setattr(jobs, "finish_chunk", lambda finished: False)

    assert batch.working is not None
    assert work.work_on(batch.working)

    assert address
    assert Outcome.objects.count() == 0


def test_an_outcome_is_said_by_a_form_and_corrected(stalls: House) -> None:
    (decision,) = decided("A-1")
    client = stalls.client("officer")

    assert send(client, f"/decisions/{decision}/outcome", {"kind": "repaid", "observed_on": TODAY}).status_code == 302
    assert send(client, f"/decisions/{decision}/outcome", {"kind": "defaulted", "observed_on": TODAY, "amount": "99.5"}).status_code == 302

    page = words(got(client, f"/decisions/{decision}"))
    assert "<strong>Defaulted</strong>" in page
    assert "<s>Repaid</s>" in page
    assert "KES\xa099.5" in page or "KES 99.5" in page
    refused = send(client, f"/decisions/{decision}/outcome", {"kind": "repaid", "observed_on": "2999-01-01"})
    assert (refused.status_code, "still to come" in words(refused)) == (422, True)
    assert send(client, f"/decisions/{uuid.uuid4()}/outcome", {"kind": "repaid", "observed_on": TODAY}).status_code == 404
    assert send(stalls.client("viewer"), f"/decisions/{decision}/outcome", {"kind": "repaid"}).status_code == 403


def test_many_rows_are_scored_in_their_order(new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_AT_A_TIME", 50)
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        lines = [HEADER, *(f"R-{at},{900 + at},3000,14,food,1990-02-28,true,x" for at in range(230))]
        client = house.client("officer")
        address, _ = bring(client, lines)
        send(client, address)
        batch = Batch.objects.get()

        assert [line[0] for line in batches.result_lines(batch)] == [f"R-{at}" for at in range(230)]
        assert jobs.progress(batch.working) == jobs.Progress("done", True, 230, 230, 0)  # type: ignore[arg-type]
