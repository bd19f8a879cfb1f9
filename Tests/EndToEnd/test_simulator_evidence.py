"""Evidence for disputes in the simulator, driven by Stripe's own client: what it stages, submits and refuses."""

from __future__ import annotations

import io

import pytest
import stripe

from support.vendor import Vendor


@pytest.fixture
def dispute(vendor: Vendor) -> str:
    sale = vendor.sell(vendor.offer_once(on_dispute="keep"))
    vendor.fulfilled(sale.session)
    vendor.simulator.scenario(vendor.account, "dispute", session=sale.session)
    [found] = vendor.stripe.v1.disputes.list({"charge": sale.charge}).data
    return found.id


def test_evidence_is_submitted_unless_the_request_says_otherwise(vendor: Vendor, dispute: str) -> None:
    disputes = vendor.stripe.v1.disputes
    staged = disputes.update(dispute, {"evidence": {"customer_name": "Ada"}, "submit": False})
    assert staged.status == "needs_response" and staged.evidence_details.submission_count == 0
    more = disputes.update(dispute, {"evidence": {"service_date": "Jan 3, 2027"}, "submit": False})
    assert (more.evidence.customer_name, more.evidence.service_date) == ("Ada", "Jan 3, 2027"), "the rest stays"
    submitted = disputes.update(dispute, {"evidence": {"customer_name": ""}})
    assert submitted.status == "under_review" and submitted.evidence_details.submission_count == 1
    with pytest.raises(stripe.InvalidRequestError):
        disputes.update(dispute, {"evidence": {"customer_name": "Late"}, "submit": False})


def test_evidence_that_stripe_would_not_take_is_refused(vendor: Vendor, dispute: str) -> None:
    for evidence in [
        {"surprise": "x"}, {"uncategorized_text": "x" * 20_001}, {"service_documentation": "file_none"},
    ]:
        with pytest.raises(stripe.InvalidRequestError):
            vendor.stripe.v1.disputes.update(dispute, {"evidence": evidence, "submit": False})  # type: ignore[arg-type]


def test_a_file_can_be_attached_only_if_it_is_evidence(vendor: Vendor, dispute: str) -> None:
    client = stripe.StripeClient(
        vendor.stripe._requestor.api_key,
        base_addresses={"api": vendor.simulator.url, "files": vendor.simulator.url}, max_network_retries=0,
    )

    def upload(purpose: str) -> str:
        document = io.BytesIO(b"%PDF-1.5\r\n--not a boundary\r\n")
        document.name = "evidence.pdf"
        made = client.v1.files.create({"purpose": purpose, "file": document})  # type: ignore[arg-type]
        assert (made.filename, made.size) == ("evidence.pdf", len(document.getvalue()))
        return made.id

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.update(
            dispute, {"evidence": {"service_documentation": upload("business_logo")}, "submit": False}
        )
    file = upload("dispute_evidence")
    attached = client.v1.disputes.update(dispute, {"evidence": {"service_documentation": file}, "submit": False})
    assert attached.evidence.service_documentation == file
