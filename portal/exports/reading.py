"""Reading a list to its end in flat memory: by the database itself where a CSV needs nothing opened, else block by block."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from itertools import islice
from typing import IO, Any

import msgspec
from django.db import connection, transaction
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast

from audit.vault import keyring
from portal.exports.lists import DETAILS, ExportList, Told
from scoring.applicants import TABLE, ApplicantDetails
from scoring.engine.writing import Cell, sink

ROWS_AT_A_TIME = 5_000
ROWS_OF_A_PIECE = 2_000
_MARK = b"\xef\xbb\xbf"
_NOBODY: list[Cell] = [None] * len(DETAILS)


def copy_csv(one: ExportList, found: QuerySet[Any], file: IO[bytes]) -> Iterator[int]:
    """The list is in the file as CSV, written by the database and inert; tells how many rows it was so far, exactly at the end."""
    file.write(_MARK + ",".join(one.columns).encode() + b"\n")
    wanted, values = found.values_list(*(column.inert for column in one.columns.values())).query.sql_with_params()
    with connection.cursor() as cursor:
        block = bytearray()
        with cursor.copy(f"COPY ({wanted}) TO STDOUT (FORMAT csv)", values) as copy:
            for rows, line in enumerate(copy, start=1):    # about: each piece is a row
                block += line    # no list of them: thousands of views would have the collector of garbage walk through all there is
                if rows % ROWS_AT_A_TIME == 0:
                    file.write(block)
                    block.clear()
                    yield rows
        file.write(block)
        yield cursor.rowcount


def rows_of(one: ExportList, found: QuerySet[Any], *, with_applicants: bool) -> Iterator[list[list[Cell]]]:
    """The list in blocks of rows, each with its applicant's details where they are asked for; None stands for those of an erased one."""
    opened = _sealed(one) if with_applicants else []
    wanted = found.values_list(*(column.of for column in one.columns.values()), *opened)
    width, block = len(one.columns), []
    with transaction.atomic():    # reading only: it has no number that the sealer of the record would wait for
        for row in wanted.iterator(chunk_size=ROWS_AT_A_TIME):
            block.append(row)
            if len(block) == ROWS_AT_A_TIME:
                yield _complete(block, width, with_applicants=with_applicants)
                block = []
        if block:
            yield _complete(block, width, with_applicants=with_applicants)


def told_rows(found: Told) -> Iterator[list[list[Cell]]]:
    """Rows that are computed now, in blocks."""
    coming = iter(found())
    while block := [list(row) for row in islice(coming, ROWS_AT_A_TIME)]:
        yield block


def csv_pages(one: ExportList, found: QuerySet[Any], *, after: str) -> Iterator[bytes]:
    """The list as CSV, in pieces that are sent while others are read: each piece is a query by itself, since who takes them may be slow.
    `after` is what the rows come in the order of."""
    file, columns, last = BytesIO(), one.columns, None
    made = sink("csv", file, one.kinds(with_applicants=False), title="")
    wanted = found.order_by(after).values_list(after, *(column.of for column in columns.values()))
    while rows := list((wanted if last is None else wanted.filter(**{f"{after}__gt": last}))[:ROWS_OF_A_PIECE]):
        made.write(row[1:] for row in rows)
        yield file.getvalue()
        file.seek(0)
        file.truncate()
        last = rows[-1][0]
    made.close()
    yield file.getvalue()


def _sealed(one: ExportList) -> list[Any]:
    to = one.applicants or ""
    texts = (Cast(f"{to}id", TextField()), Cast(f"{to}data_key_id", TextField()))
    return [*texts, F(f"{to}wrapped_key"), F(f"{to}sealed_profile")]


def _complete(block: list[Any], width: int, *, with_applicants: bool) -> list[list[Cell]]:
    if not with_applicants:
        return [list(row) for row in block]
    kept = ((row[width], row[width + 1], row[width + 2], row[width], bytes(row[width + 3] or b"")) for row in block)
    profiles = keyring().unseal_many(kept, table=TABLE, column="sealed_profile")
    return [[*row[:width], *_told(profile)] for row, profile in zip(block, profiles, strict=True)]


def _told(profile: bytes | None) -> list[Cell]:
    if profile is None:
        return _NOBODY
    details = msgspec.json.decode(profile, type=ApplicantDetails)
    told = (getattr(details, name) for name in DETAILS)
    return [value.isoformat() if isinstance(value, date) else value for value in told]
