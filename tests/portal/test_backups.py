"""Backups: what comes back is what was there, the others stay byte for byte, and what is not whole and ours is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Checkpoint, Event
from audit.sealer import checkpoint_log, seal
from audit.services import record
from audit.verification import check_record
from partners.accounts.models import User
from partners.accounts.services import create_user
from partners.postgres.roles import current_role_name
from partners.tenancy import current_schema, tenant_context
from portal.backups import facts, programs, restoring
from portal.backups.archive import extract, refuse_foreign
from portal.backups.errors import BackupRefused
from portal.backups.place import staging
from portal.backups.sealing import CHUNK, SealedReader, SealedWriter
from portal.waiting import wait_until
from tests.conftest import ROOT, House, address_of

KEY = "ab" * 32
Partners = Callable[..., House]


@dataclass
class Copy:
    """A partner with a file, its backup, and what it was then."""

    house: House
    path: Path
    facts: dict[str, Any]

    def restore(self, **options: Any) -> dict[str, Any]:
        return told("restore", self.path, partner=self.house.slug, yes=True, **options)


def told(name: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    """What the command answers."""
    out = StringIO()
    call_command(name, *map(str, arguments), json=True, stdout=out, stderr=StringIO(), **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def dumped(schema: str) -> bytes:
    """The schema as pg_dump writes it, without the random word that guards its script."""
    role, address = current_role_name("owner"), programs.address(str(connection.settings_dict["NAME"]))
    command = [programs.program("pg_dump"), f"--schema={schema}", f"--role={role}", f"--dbname={address}"]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    return b"".join(line for line in found.splitlines(keepends=True) if not line.startswith((b"\\restrict", b"\\unrestrict")))


def files_of(house: House) -> Path:
    return Path(settings.VOUCH_HOME, "files", house.schema)


def change(house: House) -> None:
    """The partner goes on: a person, events under a new head, a file; another file is lost."""
    with tenant_context(house.partner):
        create_user(email="later@example.org", role="officer", password="correct horse battery", name="Later", actor=SYSTEM)
        seal()
    (files_of(house) / "application" / "kept").unlink()


@pytest.fixture
def copy(new_partner: Partners, tmp_path: Path) -> Copy:
    house = new_partner(with_product=True)
    (files_of(house) / "application").mkdir(parents=True)
    (files_of(house) / "application" / "kept").write_bytes(b"sealed" * 1_000)
    with tenant_context(house.partner):
        seal()
    found = facts.facts_of(house.schema)
    made = told("backup", partner=house.slug, out=tmp_path)
    return Copy(house, Path(made["file"]), found)


def test_a_partner_comes_back_and_the_others_stay_byte_for_byte(copy: Copy, new_partner: Partners) -> None:
    other = new_partner(with_product=True)
    change(copy.house)
    with tenant_context(other.partner):
        seal()
    before, log = {schema: dumped(schema) for schema in (other.schema, "public")}, checkpoint_log(other.schema).read_bytes()

    copy.restore()

    assert {schema: dumped(schema) for schema in before} == before
    assert checkpoint_log(other.schema).read_bytes() == log
    now = facts.facts_of(copy.house.schema)["rows"]
    grown = {table: now[table] - count for table, count in copy.facts["rows"].items() if now[table] != count and table != "audit_subtree"}
    assert grown == {"audit_event": 1, "audit_leaf": 1, "audit_checkpoint": 1}    # the restore itself
    assert (files_of(copy.house) / "application" / "kept").read_bytes() == b"sealed" * 1_000
    with tenant_context(copy.house.partner):
        assert not User.objects.filter(email="later@example.org").exists()
        assert Checkpoint.objects.get(size=copy.facts["tree"]["size"]).root.hex() == copy.facts["tree"]["root"]


def test_the_record_tells_of_the_backup_and_of_what_was_taken_back_and_goes_on(copy: Copy) -> None:
    change(copy.house)
    with tenant_context(copy.house.partner):
        assert Event.objects.filter(action=Action.BACKUP_MADE).latest("id").detail["scope"] == copy.house.slug
    replaced = facts.facts_of(copy.house.schema)["tree"]

    copy.restore()

    with tenant_context(copy.house.partner):
        detail = Event.objects.get(action=Action.BACKUP_RESTORED).detail
        assert (detail["size"], detail["root"]) == (copy.facts["tree"]["size"], copy.facts["tree"]["root"])
        assert (detail["replaced_size"], detail["replaced_root"]) == (replaced["size"], replaced["root"])
        record(action=Action.PRODUCT_CHANGED, actor=SYSTEM, object_kind="product", object_id="1")
        newest = seal()
        assert newest is not None
        assert newest.size == Event.objects.count() == copy.facts["tree"]["size"] + 2
    lines = checkpoint_log(copy.house.schema).read_text().splitlines()
    assert json.loads(lines[-1])["size"] == newest.size
    assert len(list(checkpoint_log(copy.house.schema).parent.glob(f"{copy.house.schema}.log.before-*"))) == 1


def test_a_partner_that_is_gone_comes_back_from_a_backup_of_the_whole_system(copy: Copy, tmp_path: Path) -> None:
    made = told("backup", out=tmp_path)
    with psycopg.connect(programs.address(str(connection.settings_dict["NAME"])), autocommit=True) as server:
        server.execute(f'SET ROLE "{current_role_name("owner")}"')
        server.execute(f'DROP SCHEMA "{copy.house.schema}" CASCADE')
        server.execute("DELETE FROM partners_domain WHERE tenant_id = %s", [copy.house.partner.pk])
        server.execute("DELETE FROM partners_partner WHERE schema_name = %s", [copy.house.schema])

    found = told("restore", made["file"], partner=copy.house.slug, yes=True)

    assert found["partners"] == [copy.house.slug]
    assert facts.facts_of(copy.house.schema)["rows"]["accounts_user"] == copy.facts["rows"]["accounts_user"]
    assert copy.house.api().get("/api/v1/products").status_code == 200


def test_who_was_erased_since_is_erased_again_before_anybody_sees_the_partner(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool, bool]] = []

    def replay() -> None:
        is_alone = Event.objects.filter(action=Action.BACKUP_RESTORED).count() == 0
        seen.append((current_schema(), connection.in_atomic_block, is_alone))

    monkeypatch.setattr(restoring, "AFTER_RESTORE", [replay])

    copy.restore()

    assert seen == [(copy.house.schema, True, True)]


def test_a_restore_that_fails_half_way_changes_nothing(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BackupRefused("no")

    change(copy.house)
    before, log = dumped(copy.house.schema), checkpoint_log(copy.house.schema).read_bytes()
    monkeypatch.setattr(restoring, "AFTER_RESTORE", [fail])

    with pytest.raises(CommandError, match="no"):
        copy.restore()

    assert (dumped(copy.house.schema), checkpoint_log(copy.house.schema).read_bytes()) == (before, log)


RESTORING = """
import os, sys, django
django.setup()
from django.core.management import call_command
for line in sys.stdin:
    path, slug = line.split()
    child = os.fork()    # begun in a moment: what takes seconds was done before
    if child == 0:
        with open(os.devnull, "w") as nowhere:
            call_command("restore", path, partner=slug, yes=True, stdout=nowhere, stderr=nowhere)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""
KILLS = 8


@pytest.mark.slow
def test_a_restore_killed_at_any_moment_is_ended_by_the_same_command(copy: Copy, new_partner: Partners) -> None:
    other, draw = new_partner(), random.Random(6)
    change(copy.house)
    left = facts.facts_of(copy.house.schema)
    with tenant_context(other.partner):
        seal()
    beside = {schema: dumped(schema) for schema in (other.schema, "public")}
    environment = {**os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"]), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    command = [sys.executable, "-c", RESTORING]
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        interrupted = 0
        for _ in range(KILLS):
            before = newest_event(copy.house)
            process.stdin.write(f"{copy.path} {copy.house.slug}\n")
            process.stdin.flush()
            restorer = int(process.stdout.readline())
            assert wait_until(lambda: left_staging(restorer), 30)    # noqa: B023 - asked within this turn
            time.sleep(draw.uniform(0, 1))
            with suppress(ProcessLookupError):    # it was through already
                os.kill(restorer, signal.SIGKILL)
            found = facts.facts_of(copy.house.schema)
            assert found == left or {**found["rows"], **ITS_OWN} == {**copy.facts["rows"], **ITS_OWN}
            interrupted += newest_event(copy.house) == before
        process.stdin.close()

    copy.restore()

    assert interrupted >= KILLS // 4    # it died in the middle, not after
    assert {**facts.facts_of(copy.house.schema)["rows"], **ITS_OWN} == {**copy.facts["rows"], **ITS_OWN}
    assert {schema: dumped(schema) for schema in beside} == beside
    with tenant_context(copy.house.partner):
        seal()
        assert check_record(lambda count: None).events == Event.objects.count()


def newest_event(house: House) -> object:
    with tenant_context(house.partner):
        return Event.objects.latest("id").id


ITS_OWN = dict.fromkeys(("audit_event", "audit_leaf", "audit_checkpoint", "audit_subtree"), 0)    # a restore is recorded


def left_staging(process: int) -> bool:
    """Whether the command has begun to unpack."""
    return Path(settings.VOUCH_HOME, "backups", f".staging-{process}").exists()


def test_what_is_not_what_the_manifest_says_is_not_put_in_place(copy: Copy) -> None:
    before = dumped(copy.house.schema)

    with staging() as staged:
        manifest = extract(copy.path, staged, None)
        manifest["facts"][copy.house.schema]["rows"]["accounts_user"] += 1
        with pytest.raises(BackupRefused, match="accounts_user"):
            restoring.restore_partner(staged, manifest, copy.house.slug, actor=SYSTEM, report=lambda line: None)

    assert dumped(copy.house.schema) == before


def test_without_yes_nothing_is_changed(copy: Copy) -> None:
    before = dumped(copy.house.schema)

    found = told("restore", copy.path, partner=copy.house.slug)

    assert (found["restored"], dumped(copy.house.schema)) == (False, before)


def test_a_backup_of_one_partner_is_not_for_another_nor_for_the_system(copy: Copy) -> None:
    for partner, words in (("elsewhere", "no partner 'elsewhere'"), (None, f"--partner {copy.house.slug}")):
        with pytest.raises(CommandError, match=words):
            told("restore", copy.path, partner=partner, yes=True)


# ---- archives that are not to be trusted


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_changed_or_shortened_archive_is_refused_wherever_it_was_changed(copy: Copy, tmp_path: Path, is_sealed: bool) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    made = told("backup", partner=copy.house.slug, out=tmp_path / "whole.vouch-backup", key_file=key if is_sealed else None)
    whole, before = Path(made["file"]).read_bytes(), dumped(copy.house.schema)
    changed = tmp_path / "changed.vouch-backup"
    places = [30, len(whole) // 3, len(whole) // 2, len(whole) - 12_000]
    spoilt = [whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :] for place in places]
    spoilt += [whole[:end] for end in (40, 600, len(whole) // 2)]

    for content in spoilt:
        changed.write_bytes(content)
        with pytest.raises(CommandError, match=r"damaged|not whole|signatures"):
            told("restore", changed, partner=copy.house.slug, yes=True, key_file=key if is_sealed else None)

    assert dumped(copy.house.schema) == before


def test_a_manifest_that_was_written_anew_carries_no_signature(copy: Copy) -> None:
    with staging() as staged:
        extract(copy.path, staged, None)
        text = (staged / "manifest.json").read_bytes().replace(b'"is_active": true', b'"is_active": false')
        signatures = json.loads((staged / "signatures.json").read_bytes())

        with pytest.raises(BackupRefused, match="signatures"):
            refuse_foreign(json.loads(text), text, signatures)


def test_another_installations_archive_is_refused(copy: Copy) -> None:
    before = dumped(copy.house.schema)

    with override_settings(ROOT_KEY="cd" * 32), pytest.raises(CommandError, match="Give back the root key of that time"):
        copy.restore()

    assert dumped(copy.house.schema) == before


def test_other_files_and_other_versions_are_named(copy: Copy, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content, words in ((b"PGDMP...", "is no backup of Vouch"), (b"vouch backup 2\n", "another version"), (b"", "is no backup")):
        other.write_bytes(content)
        with pytest.raises(CommandError, match=words):
            told("restore", other)
    with pytest.raises(CommandError, match="cannot be read"):
        told("restore", tmp_path / "absent")


@pytest.mark.parametrize(
    ("changed", "words"), [({"postgres": 990001}, "PostgreSQL 99"), ({"facts": {"t": {"migrations": ["audit.9999_x"]}}}, "newer Vouch")]
)
def test_what_newer_versions_wrote_is_refused(copy: Copy, changed: dict[str, Any], words: str) -> None:
    with staging() as staged:
        manifest = {**extract(copy.path, staged, None), **changed}

    with pytest.raises(BackupRefused, match=words):
        restoring.refuse_unfit(manifest)


def test_a_sealed_archive_opens_with_its_key_alone_and_shows_nothing(copy: Copy, tmp_path: Path) -> None:
    (files_of(copy.house) / "application" / "large").write_bytes(b"canary" * CHUNK)    # more than a chunk
    key, wrong = tmp_path / "key", tmp_path / "wrong"
    key.write_text(KEY)
    wrong.write_text("cd" * 32)
    made = told("backup", partner=copy.house.slug, out=tmp_path, key_file=key)

    content = Path(made["file"]).read_bytes()
    assert not any(word in content for word in (b"canary", b"manifest", copy.house.slug.encode(), copy.house.schema.encode()))
    with pytest.raises(CommandError, match="--key-file"):
        told("restore", made["file"], partner=copy.house.slug)
    with pytest.raises(CommandError, match="not the one"):
        told("restore", made["file"], partner=copy.house.slug, key_file=wrong)
    assert told("restore", made["file"], partner=copy.house.slug, key_file=key)["restored"] is False
    wrong.write_text("short")
    with pytest.raises(CommandError, match="openssl rand -hex 32"):
        told("backup", partner=copy.house.slug, out=tmp_path, key_file=wrong)


def test_chunks_cannot_be_cut_off_swapped_or_told_twice() -> None:
    target, plain = BytesIO(), os.urandom(2 * CHUNK + 100)
    writer = SealedWriter(target, bytes.fromhex(KEY))
    for start in range(0, len(plain), 70_000):
        writer.write(plain[start : start + 70_000])
    writer.close()
    whole, long = target.getvalue(), CHUNK + 16
    first, second, last = whole[16 : 16 + long], whole[16 + long : 16 + 2 * long], whole[16 + 2 * long :]

    def opened(*chunks: bytes) -> bytes:
        return SealedReader(BytesIO(whole[:16] + b"".join(chunks)), bytes.fromhex(KEY)).read(3 * CHUNK)

    assert opened(first, second, last) == plain
    for chunks in ((first, second), (first,), (second, first, last), (first, first, second, last), (first, last)):
        with pytest.raises(BackupRefused):
            opened(*chunks)


# ---- what else can stand against it


def test_nothing_half_written_stays_where_the_backup_cannot_be_written(copy: Copy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "program", lambda name: "/bin/false")

    with pytest.raises(CommandError, match="false failed"):
        told("backup", partner=copy.house.slug, out=tmp_path / "elsewhere" / "a.vouch-backup")

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_a_killed_restore_left_lying_open_goes_with_the_next(copy: Copy) -> None:
    left = Path(settings.VOUCH_HOME, "backups", ".staging-99999999")
    left.mkdir(parents=True)

    told("restore", copy.path, partner=copy.house.slug)

    assert not left.exists()


def test_the_system_is_not_replaced_while_somebody_uses_it(copy: Copy, tmp_path: Path) -> None:
    made = told("backup", out=tmp_path)
    before = dumped(copy.house.schema)

    with psycopg.connect(programs.address(str(connection.settings_dict["NAME"]))), pytest.raises(CommandError, match="stop the portal"):
        told("restore", made["file"], yes=True)

    assert dumped(copy.house.schema) == before
