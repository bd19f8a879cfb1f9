"""docs/openapi.yaml is valid OpenAPI, agrees with the LicenseKit contract, and is what the product serves."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.description import METHODS, contract, contract_schemas, document, open_bodies, operations, resolved, text
from support.product import Product, error_code


def test_the_file_is_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in document()["tags"]}
    for path, method, operation in operations():
        assert set(operation["tags"]) <= tags and operation["summary"], f"{method} {path}"


def test_the_product_serves_the_file_to_everybody(product: Product) -> None:
    answer = requests.get(f"{product.url}/openapi.yaml", timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.text == text()


def parts(path: str) -> str:
    """A path with made-up ids."""
    for name in ("id", "field_id", "feature_id", "device_id", "license_id", "delivery_id", "ticket"):
        path = path.replace(f"{{{name}}}", "x_1")
    assert "{" not in path
    return path


@pytest.mark.parametrize("path", list(document()["paths"]))
def test_a_path_knows_the_methods_that_are_described_and_no_other(product: Product, path: str) -> None:
    described = {method.upper() for method in METHODS if method in document()["paths"][path]}
    unknown = next(method for method in ("PUT", "DELETE", "PATCH", "POST", "GET") if method not in described)
    answer = requests.request(unknown, product.url + parts(path), timeout=20)
    assert error_code(answer, 405) == "METHOD_NOT_ALLOWED"
    allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
    assert allowed - {"HEAD"} == described
    assert ("HEAD" in allowed) == ("GET" in described)


# The LicenseKit contract


def described(operation_id: str) -> dict[str, Any]:
    found = [(path, method, op) for path, method, op in operations() if op["operationId"] == operation_id]
    assert len(found) == 1, operation_id
    path, method, operation = found[0]
    return {"path": path, "method": method.upper(), **operation}


def kind(schema: dict[str, Any]) -> str:
    """A schema as Tests/Contract writes it."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    if isinstance(schema.get("type"), list):
        assert schema["type"][1] == "null"
        return kind({**schema, "type": schema["type"][0]}) + " or null"
    if schema.get("type") == "array":
        return f"[{kind(schema['items'])}]"
    if "anyOf" in schema:
        return "|".join(map(kind, schema["anyOf"]))
    if schema.get("type") == "string" and "enum" in schema:
        return "one of " + " | ".join(schema["enum"])
    return {"date-time": "time", "uri": "uri"}.get(schema.get("format", ""), schema["type"])


@pytest.mark.parametrize("name", list(contract_schemas()))
def test_a_schema_is_the_contracts(name: str) -> None:
    wanted, schema = contract_schemas()[name], document()["components"]["schemas"][name]
    if isinstance(wanted, list):
        assert schema["enum"] == wanted
        return
    required = set(schema.get("required", []))
    members = {f"{key}{'' if key in required else '?'}": kind(value) for key, value in schema["properties"].items()}
    assert list(members.items()) == list(wanted.items()), "names, types, or the order"
    if name.endswith("Request"):
        assert schema.get("additionalProperties", True) is (name in open_bodies())


@pytest.mark.parametrize("operation_id", list(contract()))
def test_an_operation_is_the_contracts(operation_id: str) -> None:
    wanted, found = contract()[operation_id], described(operation_id)
    assert (found["method"], found["path"]) == (wanted["method"], wanted["path"])
    security = {"management": [{"managementToken": []}], "license": [{"licenseKey": []}], "none": []}
    assert found["security"] == security[wanted["auth"]]
    assert found.get("x-required-scope") == wanted.get("scope")
    statuses = {int(status) for status in found["responses"]}
    assert {status for status in statuses if status < 400} | ({503} & set(wanted["success"])) == set(wanted["success"])
    assert set(wanted["errors"]) <= statuses

    parameters = [resolved(parameter) for parameter in found.get("parameters", [])]
    key = [parameter for parameter in parameters if parameter["name"] == "Idempotency-Key"]
    assert bool(key) == ("idempotencyKey" in wanted)
    assert not key or key[0].get("required", False) == (wanted["idempotencyKey"] == "required")
    query = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    assert set(query) - {"cursor"} == set(wanted.get("query", {})) - {"cursor"}
    for name, sort in wanted.get("query", {}).items():
        assert kind(query[name]["schema"]) == (f"one of {' | '.join(sort)}" if isinstance(sort, list) else sort), name
        assert query[name].get("required", False) == (name in wanted.get("requiredQuery", [])), name

    assert ("requestBody" in found) == ("body" in wanted)
    if "body" in wanted:
        assert found["requestBody"]["required"] is True
        assert kind(found["requestBody"]["content"]["application/json"]["schema"]) == wanted["body"]
    if "envelope" in wanted:
        answer = resolved(found["responses"][str(wanted["success"][0])])
        envelope = resolved(answer["content"]["application/json"]["schema"])
        extra = {"plain": [], "page": ["page_info"], "signed": ["signature"]}[wanted["envelope"]]
        assert list(envelope["properties"]) == envelope["required"] == ["data", *extra, "meta"]
        assert kind(envelope["properties"]["data"]) == wanted["data"]
