"""Installing the app, from the browser's side: what goes right, and each way in which it can go wrong."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from support.product import Product, error_code, licenses_of, ok
from support.stack import Stack
from support.vendor import Vendor, cookies_of
from support.waiting import eventually


class Visit:
    """A browser that clicked the vendor's install link."""

    def __init__(self, product: Product, mode: str = "test") -> None:
        self.product = product
        self.answer = requests.get(
            f"{product.url}/stripe/oauth/install", params={"mode": mode}, allow_redirects=False, timeout=20
        )
        self.link = self.answer.headers.get("Location", "")
        self.cookies = cookies_of(self.answer)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.link).query)


def come_back(url: str, cookies: str = "") -> requests.Response:
    return requests.get(url, headers={"Cookie": cookies} if cookies else {}, allow_redirects=False, timeout=20)


def connections_of(vendor: Vendor) -> list[dict]:
    query = {"account_id": vendor.account, "livemode": "false"}
    found = ok(vendor.product.admin("GET", "/connections", params=query))["data"]
    return [connection for connection in found if connection["account_id"] == vendor.account]


def is_connected(vendor: Vendor) -> bool:
    return any(connection["status"] == "connected" for connection in connections_of(vendor))


def page_of(answer: requests.Response) -> str:
    """The text of a page for people. Fails if the answer is not one."""
    assert answer.headers["Content-Type"].startswith("text/html"), answer.text[:300]
    text = re.sub(r"<[^>]+>", " ", answer.text)
    for secret in ("sk_test_", "sk_live_", "invalid_grant", "Traceback", "Error("):
        assert secret not in text
    return text


@pytest.fixture
def stranger(stack: Stack) -> Vendor:
    """A vendor that has not installed the app yet."""
    return stack.new_vendor(install=False)


def test_the_install_link_leads_to_stripe_with_a_state_bound_to_the_browser(product: Product) -> None:
    visit = Visit(product)
    assert visit.answer.status_code == 302
    assert visit.link.startswith(product.simulator.authorize_url)
    assert visit.query["client_id"] == [product.simulator.app.test_client_id]
    assert visit.query["redirect_uri"] == [f"{product.url}/stripe/oauth/callback"]
    assert len(visit.query["state"][0]) >= 32
    cookie = visit.answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert visit.query["state"][0] not in cookie
    assert Visit(product, mode="live").query["client_id"] == [product.simulator.app.live_client_id]


def test_a_granted_install_connects_the_account(stranger: Vendor) -> None:
    assert not is_connected(stranger)
    answer = stranger.install()
    assert answer.status_code in (302, 303)
    [connection] = connections_of(stranger)
    assert (connection["status"], connection["livemode"]) == ("connected", False)
    assert "token" not in str({key: value for key, value in connection.items() if value}).lower().replace("token_expires", "")


def test_a_denied_install_ends_on_a_page_and_connects_nothing(stranger: Vendor) -> None:
    visit = Visit(stranger.product)
    answer = come_back(stranger.simulator.deny(visit.link), visit.cookies)
    assert 400 <= answer.status_code < 500
    assert "cancel" in page_of(answer).lower()
    assert not is_connected(stranger)


def test_a_callback_that_is_loaded_twice_is_answered_as_connected(stranger: Vendor) -> None:
    visit = Visit(stranger.product)
    callback = stranger.simulator.authorize(visit.link, stranger.account)
    assert come_back(callback, visit.cookies).status_code in (302, 303)
    again = come_back(callback, visit.cookies)
    assert again.status_code == 200 and "connected" in page_of(again).lower()
    assert is_connected(stranger)


def test_a_callback_in_another_browser_connects_nothing(stranger: Vendor) -> None:
    visit, other = Visit(stranger.product), Visit(stranger.product)
    callback = stranger.simulator.authorize(visit.link, stranger.account)
    for cookies in ("", other.cookies):
        answer = come_back(callback, cookies)
        assert 400 <= answer.status_code < 500
        page_of(answer)
    assert not is_connected(stranger)


def test_a_callback_with_a_made_up_state_connects_nothing(stranger: Vendor) -> None:
    visit = Visit(stranger.product)
    callback = stranger.simulator.authorize(visit.link, stranger.account)
    forged = callback.replace(visit.query["state"][0], "made-up-" + "a" * 36)
    answer = come_back(forged, visit.cookies)
    assert answer.status_code == 400
    page_of(answer)
    assert not is_connected(stranger)


def test_an_install_that_began_at_stripe_is_linked_to_nobody(stranger: Vendor) -> None:
    begun = stranger.simulator.control(
        "POST", f"/accounts/{stranger.account}/install",
        {"redirect_uri": f"{stranger.product.url}/stripe/oauth/callback"},
    )
    answer = come_back(begun["callback_url"])
    assert answer.status_code == 400
    assert "install" in page_of(answer).lower()
    assert not is_connected(stranger)


def test_a_grant_of_the_other_mode_connects_nothing(stranger: Vendor) -> None:
    test, live = Visit(stranger.product, "test"), Visit(stranger.product, "live")
    callback = stranger.simulator.authorize(live.link, stranger.account)
    crossed = callback.replace(live.query["state"][0], test.query["state"][0])
    answer = come_back(crossed, test.cookies)
    assert 400 <= answer.status_code < 500
    page_of(answer)
    assert not is_connected(stranger)


def test_a_code_is_good_once(stranger: Vendor) -> None:
    first, second = Visit(stranger.product), Visit(stranger.product)
    callback = stranger.simulator.authorize(first.link, stranger.account)
    assert come_back(callback, first.cookies).status_code in (302, 303)
    stolen = callback.replace(first.query["state"][0], second.query["state"][0])
    answer = come_back(stolen, second.cookies)
    assert answer.status_code == 400
    page_of(answer)


@pytest.mark.parametrize("query", ["mode=sideways", "mode=test&mode=live", "link=never-made"])
def test_an_install_link_that_makes_no_sense_says_so(product: Product, query: str) -> None:
    answer = requests.get(f"{product.url}/stripe/oauth/install?{query}", allow_redirects=False, timeout=20)
    assert 400 <= answer.status_code < 500
    page_of(answer)


def test_an_uninstall_disconnects_and_a_new_install_goes_on_where_it_was(stack: Stack) -> None:
    vendor = stack.new_vendor()
    item = vendor.offer_once()
    before = vendor.fulfilled(vendor.sell(item, guest=True).session)
    # Stripe's times have whole seconds: an uninstall in the second of the install counts as an earlier one.
    vendor.simulator.control("POST", f"/accounts/{vendor.account}/advance", {"seconds": 2})
    vendor.simulator.uninstall(vendor.account)
    eventually(lambda: is_connected(vendor), lambda connected: not connected, "the account is disconnected")
    [license] = licenses_of(before)
    assert vendor.product.license(license["id"])["status"] == "active"
    vendor.install()
    assert is_connected(vendor)
    assert len(licenses_of(vendor.fulfilled(vendor.sell(item, guest=True).session))) == 1


def test_a_link_of_the_operators_binds_a_licensekit_of_the_vendors_own_and_is_good_once(stack: Stack) -> None:
    product = stack.product
    body = {"base_url": "https://licenses.example.com", "token": "lkm_" + "0" * 32, "livemode": False}
    link = ok(product.admin("POST", "/install-links", json=body), 201)["data"]
    assert link["url"].startswith(f"{product.url}/stripe/oauth/install?link=") and link["expires_at"] > "2026"

    def opens(vendor: Vendor) -> requests.Response:
        start = requests.get(link["url"], allow_redirects=False, timeout=20)
        if start.status_code != 302:
            return start
        granted = stack.simulator.authorize(start.headers["Location"], vendor.account)
        return come_back(granted, cookies_of(start))

    first, second = stack.new_vendor(install=False), stack.new_vendor(install=False)
    assert opens(first).status_code in (200, 302, 303)
    assert [(c["status"], c["licensekit_base_url"]) for c in connections_of(first)] == [("connected", body["base_url"])]
    assert opens(second).status_code >= 400
    assert not is_connected(second)


def test_only_the_operator_makes_links_and_a_wrong_one_names_its_field(vendor: Vendor) -> None:
    product = vendor.product
    named = {"account_id": vendor.account, "livemode": False}
    own = ok(product.admin("POST", "/tokens", json=named | {"name": "own"}), 201)["data"]["token"]
    body = {"token": "lkm_" + "0" * 32}
    assert error_code(product.admin("POST", "/install-links", token=own, json=body), 403) == "FORBIDDEN"
    assert error_code(product.admin("POST", "/install-links", token=None, json=body), 401) == "UNAUTHORIZED"
    for wrong, status, code, field in [
        ({}, 422, "VALIDATION_ERROR", "token"), (body | {"base_url": "ftp://x"}, 422, "VALIDATION_ERROR", "base_url"),
        (body | {"surprise": 1}, 400, "INVALID_JSON", "surprise"),
    ]:
        answer = product.admin("POST", "/install-links", json=wrong)
        assert error_code(answer, status) == code
        assert field in answer.json()["error"]["detail"]


def test_a_late_event_of_an_earlier_uninstall_does_not_end_a_new_install(stack: Stack) -> None:
    vendor = stack.new_vendor()
    vendor.simulator.hold_deliveries(vendor.account)
    vendor.simulator.uninstall(vendor.account)
    vendor.simulator.control("POST", f"/accounts/{vendor.account}/advance", {"seconds": 2})
    vendor.install()
    vendor.simulator.release_deliveries(vendor.account)
    vendor.deliveries_settled()
    item = vendor.offer_once()
    assert len(licenses_of(vendor.fulfilled(vendor.sell(item, guest=True).session))) == 1
    assert is_connected(vendor)
