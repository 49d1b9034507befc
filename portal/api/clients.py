"""What is written from the API's description: the Python client's types and methods, and a Postman collection."""

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_HEAD = '''"""Written by `manage.py make_client` from the API's description; changes are lost."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from vouch_client.transport import Transport
'''
_BODY = "application/json"


def python_client(description: Mapping[str, Any]) -> str:
    """The module `generated.py`: a TypedDict for each struct, a method for each operation that is not deprecated."""
    types = [_struct(name.replace(".", "_"), schema) for name, schema in sorted(description["components"]["schemas"].items())]
    bare = {name for name, schema in description["components"]["schemas"].items() if not schema.get("required")}    # may be left out
    methods = [_method(*one, bare) for one in _operations(description)]
    client = 'class Client(Transport):\n    """The API\'s operations. Each raises Refused or Unreachable."""\n'
    return "\n\n".join([_HEAD, *types, client + "\n" + "\n".join(methods)])


def _operations(description: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in sorted(description["paths"].items()):
        for method, operation in sorted(methods.items()):
            if not operation.get("deprecated"):
                yield path, method, operation


def _struct(name: str, schema: Mapping[str, Any]) -> str:
    if schema.get("type") != "object" or not schema.get("properties"):
        return f'{name}: TypeAlias = "{_bare(schema)}"\n'
    needed = set(schema.get("required", ()))
    kinds = {field: _bare(kind) if field in needed else f"NotRequired[{_bare(kind)}]" for field, kind in schema["properties"].items()}
    if all(field.isidentifier() and not keyword.iskeyword(field) for field in kinds):
        return f"class {name}(TypedDict):\n" + "".join(f"    {field}: {kind}\n" for field, kind in kinds.items())
    fields = ", ".join(f"{json.dumps(field)}: {json.dumps(kind)}" for field, kind in kinds.items())
    return f"{name} = TypedDict({json.dumps(name)}, {{{fields}}})\n"


def _bare(schema: Mapping[str, Any]) -> str:
    """A schema as an annotation."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].replace(".", "_")
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(map(_bare, schema["anyOf"])))
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(one) for one in schema['enum'])}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_bare(schema.get('items', {}))}]"
    if kind == "object":
        more = schema.get("additionalProperties", {})
        return f"dict[str, {_bare(more) if isinstance(more, dict) and more else 'Any'}]"
    return _SIMPLE.get(str(kind), "Any")


def _method(path: str, method: str, operation: Mapping[str, Any], bare: Set[str]) -> str:
    given: dict[str, list[tuple[str, str, str, bool]]] = {"path": [], "query": [], "header": []}
    for one in operation.get("parameters") or ():
        if one["name"] != "Idempotency-Key":
            is_needed = one["in"] == "path" or one.get("required", False)
            given[one["in"]].append((one["name"], _named(one["name"]), _bare(one["schema"]), is_needed))
    content = operation.get("requestBody", {}).get("content", {}).get(_BODY)
    every = [part for parts in given.values() for part in parts]
    positional = [f"{name}: {kind}" for _, name, kind, is_needed in every if is_needed]
    if content:
        told = _bare(content["schema"])
        positional.append(f"body: {told} | None = None" if told in bare else f"body: {told}")
    optional = [f"{name}: {kind} | None = None" for _, name, kind, is_needed in every if not is_needed]
    optional += ["idempotency_key: str | None = None"] if method == "post" else []
    signature = ", ".join(["self", *positional, *(["*", *optional] if optional else [])])
    passed = []
    for where, parts in (("within", given["path"]), ("query", given["query"]), ("headers", given["header"])):
        if parts:
            passed.append(f"{where}={{{', '.join(f'{json.dumps(name)}: {own}' for name, own, _, _ in parts)}}}")
    passed += ["body=body"] if content else []
    passed += ["idempotency_key=idempotency_key"] if method == "post" else []
    call = ", ".join([json.dumps(method.upper()), json.dumps(path), *passed])
    gives = _answer(operation)
    return (
        f"    def {operation['operationId']}({signature}) -> {gives}:\n"
        f'        """{operation["summary"]}."""\n'
        f"        {'' if gives == 'None' else f'_answer: {gives} = '}self._call({call})\n"
        + ("" if gives == "None" else "        return _answer\n")
    )  # fmt: skip


def _named(name: str) -> str:
    plain = re.sub(r"\W+", "_", name).strip("_").lower()
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _answer(operation: Mapping[str, Any]) -> str:
    status, answer = next((status, answer) for status, answer in operation["responses"].items() if status < "3")
    if status == "204":
        return "None"
    content = answer.get("content", {}).get(_BODY)
    return _bare(content["schema"]) if content else "bytes"


def postman(description: Mapping[str, Any]) -> dict[str, Any]:
    """A collection of Postman's format 2.1: a folder for each resource, `{{address}}` and `{{key}}` to fill in."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in _operations(description):
        folders.setdefault(path.removeprefix("/api/v1/").partition("/")[0] or "root", []).append(_request(path, method, operation))
    return {
        "info": {"name": "Vouch", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
        "auth": {"type": "apikey", "apikey": [{"key": "key", "value": "X-API-Key"}, {"key": "value", "value": "{{key}}"}]},
        "variable": [{"key": "address", "value": "http://north.localhost:8000"}, {"key": "key", "value": ""}],
        "item": [{"name": name, "item": requests} for name, requests in sorted(folders.items())],
    }


def _request(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    shown = re.sub(r"\{(\w+)\}", r":\1", path)
    query = [{"key": one["name"], "value": "", "disabled": True} for one in operation.get("parameters") or () if one["in"] == "query"]
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [{"key": "Idempotency-Key", "value": "{{$guid}}"}] if method == "post" else [],
        "url": {"raw": f"{{{{address}}}}{shown}", "host": ["{{address}}"], "path": shown.strip("/").split("/"), "query": query,
                "variable": [{"key": name, "value": ""} for name in re.findall(r":(\w+)", shown)]},
    }  # fmt: skip
    if content := operation.get("requestBody", {}).get("content", {}).get(_BODY):
        example: Any = next((one["value"] for one in content.get("examples", {}).values()), {})
        request["header"].append({"key": "Content-Type", "value": _BODY})
        request["body"] = {"mode": "raw", "raw": json.dumps(example, indent=2, ensure_ascii=False)}
    return {"name": operation["summary"], "request": request}
