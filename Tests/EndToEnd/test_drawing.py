"""The program looks for the library that draws PDFs when it runs. Without the library everything else works."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
import requests
from licensekit import ApiError

from support.processes import binary
from support.product import error_code, ok
from support.signing import signed_request
from support.stack import Stack
from support.vendor import Vendor


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A product on a machine where a file of another kind has the library's name."""
    folder = tmp_path_factory.mktemp("plain")
    libraries = folder / "libraries"
    libraries.mkdir()
    (libraries / "libcairo.so.2").write_bytes(b"not a library")
    stack = Stack(folder).start()
    try:
        stack.product.process.terminate()
        stack.product.process.environment["LD_LIBRARY_PATH"] = str(libraries)
        stack.product.start()
        yield stack
    finally:
        stack.close()


def app(stack: Stack, vendor: Vendor, path: str, **fields: object) -> requests.Response:
    body, headers = signed_request(
        stack.simulator.app.signing_secret, "usr_1", vendor.account,
        fields | {"livemode": False, "stripe_roles": [{"type": "builtIn", "name": "Administrator"}]},
    )
    return requests.post(f"{stack.product.url}/stripe/app/{path}", data=body, headers=headers, timeout=20)


def test_a_report_is_refused_as_pdf_and_made_in_other_formats(plain: Stack) -> None:
    def export(form: str) -> dict[str, str]:
        return plain.product.management.create_report_export(
            body={"report_kind": "usage-ledger", "format": form, "filters": {}}
        )["data"]

    with pytest.raises(ApiError) as refused:
        export("pdf")
    assert (refused.value.status, refused.value.code) == (503, "PDF_UNAVAILABLE")
    assert export("csv")["format"] == "csv"


def test_evidence_is_shown_and_staged_without_its_pdf(plain: Stack) -> None:
    vendor = plain.new_vendor()
    sale = vendor.sell(vendor.offer_once(on_dispute="keep"))
    vendor.fulfilled(sale.session)
    plain.simulator.scenario(vendor.account, "dispute", session=sale.session, reason="product_not_received")
    vendor.settle()
    [dispute] = vendor.stripe.v1.disputes.list({"charge": sale.charge}).data

    shown = ok(app(plain, vendor, "evidence", payment=sale.payment_intent))["data"]
    assert error_code(requests.get(shown["document_url"], timeout=20), 503) == "PDF_UNAVAILABLE"
    staged = ok(app(
        plain, vendor, "actions", operation="stage_evidence", object=dispute.id, payment=sale.payment_intent,
        nonce=secrets.token_hex(16),
    ))
    assert "without the PDF" in str(staged)
    evidence = vendor.stripe.v1.disputes.retrieve(dispute.id).evidence
    assert evidence.product_description and evidence.to_dict().get("service_documentation") is None


def test_the_doctor_says_that_nothing_can_be_drawn(plain: Stack) -> None:
    done = subprocess.run(
        [binary("licensekit"), "doctor"], env={"PATH": os.environ["PATH"]} | plain.product.process.environment,
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 1, done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("problem  ")] == [
        line for line in done.stdout.splitlines() if line.startswith("problem  PDF documents: ")
    ], done.stdout


def test_the_doctor_of_a_whole_installation_finds_it(stack: Stack) -> None:
    done = subprocess.run(
        [binary("licensekit"), "doctor"], env={"PATH": os.environ["PATH"]} | stack.product.process.environment,
        capture_output=True, text=True, timeout=60,
    )
    assert "ok       PDF documents" in done.stdout.splitlines(), done.stdout


def test_the_doctor_says_that_no_font_can_be_read(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "fonts.conf").write_text('<?xml version="1.0"?><fontconfig></fontconfig>')
    environment = {"PATH": os.environ["PATH"], "FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    done = subprocess.run(
        [binary("licensekit"), "doctor"], env=environment | stack.product.process.environment,
        capture_output=True, text=True, timeout=60,
    )
    [line] = [line for line in done.stdout.splitlines() if "PDF documents" in line]
    assert line.startswith("problem  PDF documents: ") and "no font with Latin letters is installed" in line
