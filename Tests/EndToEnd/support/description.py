"""docs/openapi.yaml, and the project's own copy of the LicenseKit contract beside it (Tests/Contract)."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Iterator

import jsonschema
import yaml

from .processes import PACKAGE_ROOT

METHODS = ("get", "post", "put", "patch", "delete")


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Times stay text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


@cache
def text() -> str:
    return (PACKAGE_ROOT / "docs/openapi.yaml").read_text()


@cache
def document() -> dict[str, Any]:
    return yaml.load(text(), Loader=_Loader)


@cache
def contract() -> dict[str, dict[str, Any]]:
    """The operations of LicenseKit's contract, by id."""
    operations = json.loads((PACKAGE_ROOT / "Tests/Contract/operations.json").read_text())
    return {operation["id"]: operation for operation in operations}


@cache
def contract_schemas() -> dict[str, Any]:
    return json.loads((PACKAGE_ROOT / "Tests/Contract/schemas.json").read_text())


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` refers to."""
    while "$ref" in part:
        target: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def open_bodies() -> set[str]:
    """The bodies for which the contract allows unknown members."""
    return {operation["body"] for operation in contract().values() if operation.get("openBody")}


@cache
def strict() -> dict[str, Any]:
    """The document with every object of an answer closed: here a member that is not described is an error. For readers
    the objects stay open, so that members can be added."""
    closed = json.loads(json.dumps(document()))
    for name, schema in closed["components"]["schemas"].items():
        if "properties" in schema and name not in open_bodies():
            schema.setdefault("additionalProperties", False)
    return closed


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": strict()["components"]}
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def problems(operation: dict[str, Any], status: int, content_type: str, body: Any) -> list[str]:
    """What is wrong with an answer, by the description of its operation."""
    if str(status) not in operation["responses"]:
        return [f"{status} is not described"]
    response = resolved(operation["responses"][str(status)])
    media = content_type.split(";")[0].strip()
    if "content" not in response:
        return [f"{status} has no body by its description"] if body not in (None, "", b"") else []
    if media not in response["content"]:
        return [f"{media} is not described for {status}"]
    reference = response["content"][media]["schema"].get("$ref")
    if reference is None:
        return []
    faults = _validator(reference.rsplit("/", 1)[1]).iter_errors(body)
    return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in faults]


def snake(operation_id: str) -> str:
    """`createAPIKey` as the official Python client calls it: `create_api_key`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", operation_id)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words).lower()
