"""A prepared statement in one message with binary parameters: what the driver's cursors cost too much for on the hot path."""

import re
import struct
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus

_PREPARED_AT_MOST = 128  # per connection: each takes 110 to 230 KiB of the server's memory
# A plan made when the tables were small may read them whole, and is kept until somebody analyses them.
_PLANNED_AGAIN_AFTER = frozenset((64, 1_000, 10_000, 100_000))
_PARAMETER = re.compile(r":(\w+)::([a-z0-9]+(?:\[\])?)")
_numbers = count(1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_int32, _int16, _int64, _float8 = struct.Struct(">i").pack, struct.Struct(">h").pack, struct.Struct(">q").pack, struct.Struct(">d").pack
_unpack_int32 = struct.Struct(">i").unpack_from

Encode = Callable[[Any], bytes]


def _timestamp(value: datetime) -> bytes:
    since = value - _EPOCH
    return _int64((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


# Type in the statement -> (its oid, how one value is written).
_TYPES: dict[str, tuple[int, Encode]] = {
    "bool": (16, lambda value: b"\x01" if value else b"\x00"),
    "bytea": (17, bytes),
    "int2": (21, _int16),
    "int4": (23, _int32),
    "text": (25, str.encode),
    "float8": (701, _float8),
    "timestamptz": (1184, _timestamp),
    "uuid": (2950, lambda value: value.bytes),
}
_DECODE: dict[int, Callable[[bytes], Any]] = {
    16: lambda raw: raw == b"\x01",
    17: bytes,
    21: lambda raw: int.from_bytes(raw, signed=True),
    23: lambda raw: int.from_bytes(raw, signed=True),
    25: bytes.decode,
    2950: lambda raw: uuid.UUID(bytes=bytes(raw)),
}
_ARRAYS_OF = {1000: 16, 1001: 17, 2951: 2950}


def _array_encoder(oid: int, encode: Encode) -> Encode:
    one = struct.pack(">iiiii", 1, 1, oid, 1, 1)
    nothing = one + b"\xff\xff\xff\xff"

    def write(values: Sequence[Any]) -> bytes:
        if len(values) == 1:
            if values[0] is None:
                return nothing
            raw = encode(values[0])
            return one + _int32(len(raw)) + raw
        parts = [struct.pack(">iiiii", 1, 1, oid, len(values), 1)]
        for value in values:
            if value is None:
                parts.append(b"\xff\xff\xff\xff")
            else:
                raw = encode(value)
                parts += (_int32(len(raw)), raw)
        return b"".join(parts)

    return write


@dataclass(slots=True)
class _Prepared:
    name: bytes
    runs: int


class Statement:
    """A statement whose parameters are written `:name::type`, with `{s}` where the schema goes.

    The schema is part of the text, since the server would plan unqualified names again at each change of the search path."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, tuple[str, Encode]] = {}
        numbers: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            name, kind = match.groups()
            oid, encode = _TYPES[kind.removesuffix("[]")]
            self.names.setdefault(name, (kind, _array_encoder(oid, encode) if kind.endswith("[]") else encode))
            if self.names[name][0] != kind:
                raise TypeError(f"{name} is {kind} and {self.names[name][0]}")
            return f"${numbers.setdefault(name, len(numbers) + 1)}::{kind}"

        self.text = _PARAMETER.sub(number, text)
        self._formats = [Format.BINARY] * len(self.names)
        self._prepared: weakref.WeakKeyDictionary[psycopg.Connection[Any], OrderedDict[str, _Prepared]] = weakref.WeakKeyDictionary()

    def run(self, connection: psycopg.Connection[Any], schema: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The first row of the answer. The statement is prepared once per connection and schema. Raises the driver's errors.

        Like any statement of the driver, it opens a transaction where the connection does not commit by itself."""
        parameters: list[Any] = [None if (value := values[name]) is None else encode(value) for name, (_, encode) in self.names.items()]
        pgconn = connection.pgconn
        if not connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
            _checked(pgconn.exec_(b"BEGIN"))
        result = pgconn.exec_prepared(self._name(connection, schema), parameters, self._formats, Format.BINARY)
        if result.status != ExecStatus.TUPLES_OK:
            raise _failure(result)
        return tuple(_decoded(result.get_value(0, column), result.ftype(column)) for column in range(result.nfields))

    def _name(self, connection: psycopg.Connection[Any], schema: str) -> bytes:
        known = self._prepared.setdefault(connection, OrderedDict())
        prepared = known.pop(schema, None)
        if prepared is not None and prepared.runs in _PLANNED_AGAIN_AFTER:
            _checked(connection.pgconn.exec_(b"DEALLOCATE " + prepared.name))
            prepared = self._prepare(connection, schema, prepared.runs)
        if prepared is None:
            if len(known) >= _PREPARED_AT_MOST:
                _checked(connection.pgconn.exec_(b"DEALLOCATE " + known.popitem(last=False)[1].name))
            prepared = self._prepare(connection, schema, 0)
        prepared.runs += 1
        known[schema] = prepared
        return prepared.name

    def _prepare(self, connection: psycopg.Connection[Any], schema: str, runs: int) -> _Prepared:
        name = b"vouch_%d" % next(_numbers)
        quoted = '"' + schema.replace('"', '""') + '".'
        _checked(connection.pgconn.prepare(name, self.text.replace("{s}", quoted).encode()))
        return _Prepared(name, runs)


def _checked(result: Any) -> None:
    if result.status != ExecStatus.COMMAND_OK:
        raise _failure(result)


def _failure(result: Any) -> psycopg.Error:
    """What the server said. What has no code was not said by it: the connection broke, which the driver's cursors call operational."""
    error = error_from_result(result, encoding="utf-8")
    return error if error.sqlstate else psycopg.OperationalError(str(error))


def _decoded(raw: bytes | None, oid: int) -> Any:
    if raw is None:
        return None
    if oid in _ARRAYS_OF:
        return _decoded_array(raw, _DECODE[_ARRAYS_OF[oid]])
    return _DECODE[oid](raw)


def _decoded_array(raw: bytes, decode: Callable[[bytes], Any]) -> list[Any]:
    length, at, values = _unpack_int32(raw, 12)[0], 20, []
    for _ in range(length):
        size = _unpack_int32(raw, at)[0]
        at += 4
        values.append(None if size < 0 else decode(raw[at : at + size]))
        at += max(size, 0)
    return values
