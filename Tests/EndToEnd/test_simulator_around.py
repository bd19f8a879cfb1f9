"""The simulator's thin events, installs, sandboxes and health alerts, tested with the official Python package."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Iterator

import pytest
import stripe

import test_simulator
from test_simulator import (  # noqa: F401
    Own, Receiver, Shop, authorize, client, control, developer, endpoint, http_call, own, receiver, settled, shop,
)

ENDIVE = "2026-10-28.endive"
SECRET = "whsec_around"
APP = "dev.licensekit.stripe"


@pytest.fixture
def thin(receiver: Receiver, endpoint) -> Iterator[Receiver]:
    endpoint(secret=SECRET, payload="thin")
    yield receiver


def bodies(receiver: Receiver, account: str) -> list[dict]:
    """The thin events and the snapshots that arrived for the account."""
    settled(account)
    parsed = [json.loads(body) for body, _ in receiver.received]
    return [each for each in parsed if account in (each.get("context"), each.get("account"))]


def types(answer: dict) -> list[str]:
    return [each["type"] for each in answer["events"]]


def installs(**filters: object) -> list:
    api = client(developer()["secret_key"], ENDIVE).v1.apps.installs
    return list(api.list({"app": APP, **filters}).auto_paging_iter())


# --- Thin events


def test_a_thin_event_names_what_happened_and_leads_to_the_object(shop: Shop, thin: Receiver) -> None:
    sale = shop.scenario("subscribe", price=shop.prices["pro_monthly"], customer="new")
    heard = bodies(thin, shop.id)
    assert sorted(each["snapshot_event"] for each in heard) == sorted(each["id"] for each in sale["events"])
    app = client(developer()["secret_key"], ENDIVE)
    seen: dict[str, tuple] = {}
    for body, signature in thin.received:
        event = app.parse_event_notification(body, signature, SECRET)
        assert str(event.context) == shop.id and event.livemode is False and event.reason is None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.created)
        related = event.related_object
        seen[event.type] = (related.type, related.url)
        assert event.fetch_related_object().id == related.id
        fetched = event.fetch_event()
        assert fetched.id == event.id and fetched.snapshot_event == json.loads(body)["snapshot_event"]
    assert seen["v1.invoice.paid"] == ("invoice", f"/v1/invoices/{sale['ids']['invoice']}")
    assert seen["v1.checkout.session.completed"] == (
        "checkout.session", f"/v1/checkout/sessions/{sale['ids']['session']}",
    )
    assert seen["v1.customer.subscription.created"][0] == "subscription"


def test_a_thin_event_keeps_its_id_when_it_is_sent_again(shop: Shop, thin: Receiver) -> None:
    sale = shop.scenario("sell", price=shop.prices["perpetual"])
    before = {each["id"]: each for each in bodies(thin, shop.id)}
    control("POST", f"events/{sale['events'][0]['id']}/resend", {})
    settled(shop.id)
    control("POST", f"events/{next(iter(before))}/resend", {})
    again = bodies(thin, shop.id)[len(before):]
    assert len(again) == 2 and all(before[each["id"]] == each for each in again)
    assert not set(before) & {each["snapshot_event"] for each in again}


def test_a_thin_event_tells_the_request_that_caused_it(shop: Shop, thin: Receiver) -> None:
    made = shop.app().v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "key-" + shop.id})
    [event] = bodies(thin, shop.id)
    assert event["type"] == "v1.customer.created"
    assert event["reason"] == {
        "type": "request",
        "request": {"id": made.last_response.request_id, "idempotency_key": "key-" + shop.id},
    }


def test_one_happening_arrives_whole_and_thin_side_by_side(shop: Shop, thin: Receiver, endpoint) -> None:
    endpoint(secret="whsec_whole")
    shop.scenario("sell", price=shop.prices["perpetual"])
    heard = bodies(thin, shop.id)
    whole = {each["id"] for each in heard if each["object"] == "event"}
    assert whole and whole == {each["snapshot_event"] for each in heard if each["object"] == "v2.core.event"}


def test_an_endpoint_asks_for_thin_events_by_their_name(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(payload="thin", enabled_events=["v1.charge.succeeded"])
    shop.scenario("sell", price=shop.prices["perpetual"])
    assert [each["type"] for each in bodies(receiver, shop.id)] == ["v1.charge.succeeded"]


def test_what_cannot_be_fetched_has_no_related_object(shop: Shop, thin: Receiver) -> None:
    customer = shop.app().v1.customers.create({}).id
    shop.scenario("entitlements", customer=customer, lookup_keys=["pro"])
    control("POST", f"accounts/{shop.id}/uninstall", {})
    heard = {each["type"]: each["related_object"] for each in bodies(thin, shop.id)}
    assert heard["v1.entitlements.active_entitlement_summary.updated"] is None
    assert heard["v1.account.application.deauthorized"] is None
    assert heard["v1.apps.install.deleted"]["url"].startswith("/v1/apps/installs/appinst_")


def test_a_thin_event_is_fetched_for_thirty_days_by_its_own_account(shop: Shop, thin: Receiver) -> None:
    shop.scenario("sell", price=shop.prices["perpetual"])
    event = bodies(thin, shop.id)[0]
    assert shop.app(ENDIVE).v2.core.events.retrieve(event["id"]).type == event["type"]
    assert shop.own(ENDIVE).v2.core.events.retrieve(event["id"]).context == shop.id
    for other, id in ((Shop().own(ENDIVE), event["id"]), (shop.own(ENDIVE), event["snapshot_event"])):
        with pytest.raises(stripe.StripeError) as missing:
            other.v2.core.events.retrieve(id)
        assert missing.value.http_status == 404
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 31 * 86_400})
    with pytest.raises(stripe.StripeError):
        shop.own(ENDIVE).v2.core.events.retrieve(event["id"])


# --- Installs


def test_an_install_is_listed_with_everything_stripe_says_of_it(shop: Shop) -> None:
    [install] = installs(account=shop.id)
    assert install.object == "apps.install" and install.account == shop.id and install.app == APP
    assert install.status == "installed" and install.livemode is False and install.approval_required is False
    assert "event_read" in install.permissions_granted and install.permissions_pending == []
    assert install.channel == "public" and install.auth_code is None and install.created_by is None
    assert install.endpoints_granted == [] and install.content_security_policy_pending.connect_src == []
    assert client(developer()["secret_key"], ENDIVE).v1.apps.installs.retrieve(install.id).created == install.created


def test_a_developer_sees_the_installs_of_its_app_and_mode_page_by_page(own: Own) -> None:
    shops = [Shop(install=["test", "live"]) for _ in range(5)]
    api = client(developer()["secret_key"], ENDIVE).v1.apps.installs
    page = api.list({"app": APP, "limit": 2})
    assert [each.account for each in page.data] == [shops[4].id, shops[3].id] and page.has_more
    rest = api.list({"limit": 3, "starting_after": page.data[-1].id})
    assert [each.account for each in rest.data] == [each.id for each in shops[2::-1]] and not rest.has_more
    assert api.list({"app": "com.example.other"}).data == []
    live = client(developer(livemode=True)["secret_key"], ENDIVE).v1.apps.installs.list({"limit": 100}).data
    assert len(live) == 5 and all(each.livemode for each in live)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.retrieve(live[0].id)
    assert missing.value.http_status == 404 and missing.value.code == "resource_missing"


def test_a_merchants_credential_sees_its_own_installs_only(shop: Shop) -> None:
    [mine], [others] = installs(account=shop.id), installs(account=Shop().id)
    for caller in (shop.own(ENDIVE), shop.app(ENDIVE)):
        assert [each.id for each in caller.v1.apps.installs.list().data] == [mine.id]
        with pytest.raises(stripe.InvalidRequestError):
            caller.v1.apps.installs.retrieve(others.id)


def test_an_install_and_its_end_are_announced_twice_also_when_it_is_over(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(secret=SECRET)
    [first] = installs(account=shop.id)
    control("POST", f"accounts/{shop.id}/uninstall", {})
    made = control("POST", f"accounts/{shop.id}/install", {"permissions": ["event_read", "product_read"]})
    assert types(made) == ["account.application.authorized", "apps.install.created"]
    # Events that are sent at the same time arrive in any order.
    heard = {each["type"]: each["data"]["object"] for each in bodies(receiver, shop.id)}
    assert sorted(heard) == [
        "account.application.authorized", "account.application.deauthorized", "apps.install.created",
        "apps.install.deleted",
    ]
    gone, new = heard["apps.install.deleted"], heard["apps.install.created"]
    assert gone["id"] == first.id and gone["status"] == "uninstalling"
    assert new["id"] != first.id and new["permissions_granted"] == ["event_read", "product_read"]
    assert [each.id for each in installs(account=shop.id)] == [new["id"]]


def test_the_developer_and_the_merchant_can_uninstall_by_the_api(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(secret=SECRET)
    [install] = installs(account=shop.id)
    api = client(developer()["secret_key"], ENDIVE).v1.apps.installs
    answer = api.uninstall(install.id)
    assert answer.id == install.id
    [event] = [each for each in bodies(receiver, shop.id) if each["type"] == "apps.install.deleted"]
    assert event["request"]["id"] == answer.last_response.request_id
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.retrieve(install.id)
    assert missing.value.http_status == 404 and missing.value.code == "resource_missing"
    with pytest.raises(stripe.PermissionError):
        shop.app().v1.products.list()
    control("POST", f"accounts/{shop.id}/install", {})
    [again] = shop.own(ENDIVE).v1.apps.installs.list().data
    shop.own(ENDIVE).v1.apps.installs.uninstall(again.id)
    assert installs(account=shop.id) == []


def test_what_a_new_version_asks_for_is_refused_until_the_merchant_agrees(
    shop: Shop, receiver: Receiver, endpoint
) -> None:
    endpoint(secret=SECRET)
    [install] = installs(account=shop.id)
    asked = {"permissions_pending": ["charge_read"], "approval_required": True}
    assert types(control("POST", f"accounts/{shop.id}/install_update", asked)) == ["apps.install.updated"]
    event = bodies(receiver, shop.id)[-1]
    assert event["data"]["object"]["permissions_pending"] == ["charge_read"]
    assert event["data"]["previous_attributes"]["permissions_pending"] == []
    [waiting] = installs(approval_required="true", account=shop.id)
    assert waiting.id == install.id and "charge_read" not in waiting.permissions_granted
    with pytest.raises(stripe.PermissionError) as refused:
        shop.app().v1.charges.list()
    assert refused.value.error.code == "more_permissions_required_for_application"
    assert shop.app().v1.products.list().data
    # The developer cannot grant it to itself.
    with pytest.raises(stripe.PermissionError):
        client(developer()["secret_key"], ENDIVE).v1.apps.installs.update(install.id)
    granted = shop.own(ENDIVE).v1.apps.installs.update(install.id)
    assert granted.permissions_pending == [] and granted.approval_required is False
    assert "charge_read" in granted.permissions_granted
    assert shop.app().v1.charges.list().data == []
    assert [each["type"] for each in bodies(receiver, shop.id)] == ["apps.install.updated"] * 2
    control("POST", f"accounts/{shop.id}/install_update", asked)
    control("POST", f"accounts/{shop.id}/install_update", {"granted": True})
    assert installs(account=shop.id)[0].approval_required is False


def test_other_apps_of_the_account_are_announced_and_not_listed(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(secret=SECRET)
    for event in ("created", "updated", "deleted"):
        control("POST", f"accounts/{shop.id}/foreign_install", {"app": "com.example.other", "event": event})
    heard = bodies(receiver, shop.id)
    assert {each["type"] for each in heard} == {f"apps.install.{each}" for each in ("created", "updated", "deleted")}
    objects = [each["data"]["object"] for each in heard]
    assert {each["app"] for each in objects} == {"com.example.other"} and len({each["id"] for each in objects}) == 1
    assert [each.app for each in installs(account=shop.id)] == [APP]


def test_a_silent_uninstall_shows_in_the_list_alone(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(secret=SECRET)
    assert control("POST", f"accounts/{shop.id}/uninstall", {"silent": True})["events"] == []
    assert bodies(receiver, shop.id) == [] and installs(account=shop.id) == []
    with pytest.raises(stripe.PermissionError):
        shop.app().v1.products.list()


# --- Sandboxes


SANDBOX_KEY, SANDBOX_CLIENT = "sk_test_of_the_sandbox", "ca_of_the_sandbox"


@pytest.fixture
def sandbox(own: Own) -> Shop:
    """A sandbox of a merchant, beside a simulator's test and live mode."""
    control(
        "POST", "developers", {"environment": "sandbox", "secret_key": SANDBOX_KEY, "client_id": SANDBOX_CLIENT},
    )
    made = control("POST", "accounts", {"environment": "sandbox", "catalogue": True, "install": ["sandbox"]})
    assert made["environments"] == ["sandbox"] and set(made["keys"]) == set(made["catalogue"]) == {"sandbox"}
    shop = object.__new__(Shop)
    shop.id, shop.own_key = made["id"], made["keys"]["sandbox"]
    shop.prices = made["catalogue"]["sandbox"]["prices"]
    return shop


def test_a_sandbox_is_installed_with_the_credentials_of_the_managed_sandbox_only(sandbox: Shop) -> None:
    listed = {each["environment"]: each for each in control("GET", "developers")}
    assert set(listed) == {"test", "live", "sandbox"} and developer()["environment"] == "test"
    code = authorize(sandbox.id, client_id=SANDBOX_CLIENT)["code"]
    for key in (developer()["secret_key"], developer(livemode=True)["secret_key"]):
        with pytest.raises(stripe.oauth_error.InvalidGrantError):
            client(key).oauth.token({"grant_type": "authorization_code", "code": code})
    token = client(SANDBOX_KEY).oauth.token({"grant_type": "authorization_code", "code": code})
    assert token.stripe_user_id == sandbox.id and token.livemode is False
    assert client(token.access_token).v1.products.list().data
    # The app of test mode cannot be installed there, and the app of the sandbox cannot be installed in ordinary accounts.
    for account, client_id in ((sandbox.id, developer()["client_id"]), (Shop().id, SANDBOX_CLIENT)):
        query = {"client_id": client_id, "redirect_uri": "http://127.0.0.1/back", "auto": account}
        status, _, page = http_call("GET", "/oauth/v2/authorize?" + urllib.parse.urlencode(query))
        assert status == 400 and "does not exist in" in page
    with pytest.raises(stripe.PermissionError):
        client(developer()["secret_key"], stripe_account=sandbox.id).v1.products.list()
    assert client(SANDBOX_KEY, stripe_account=sandbox.id).v1.products.list().data


def test_events_of_a_sandbox_reach_its_own_endpoint_and_live_when_set_so(sandbox: Shop, endpoint) -> None:
    receivers = {name: Receiver() for name in ("sandbox", "test", "live", "both")}
    endpoint(url=receivers["sandbox"].url, environment="sandbox", payload="thin")
    endpoint(url=receivers["test"].url)
    endpoint(url=receivers["live"].url, livemode=True)
    endpoint(url=receivers["both"].url, livemode=True, hears_sandbox=True)
    ordinary = Shop()
    for each in (sandbox, ordinary):
        each.scenario("sell", price=each.prices["perpetual"])
    heard = {
        name: {account for account in (sandbox.id, ordinary.id) if bodies(each, account)}
        for name, each in receivers.items()
    }
    assert heard == {"sandbox": {sandbox.id}, "test": {ordinary.id}, "live": set(), "both": {sandbox.id}}
    assert all(each["livemode"] is False for each in bodies(receivers["both"], sandbox.id))
    for each in receivers.values():
        each.server.shutdown()


def test_installs_of_sandboxes_are_listed_with_the_sandboxs_key(sandbox: Shop) -> None:
    Shop()
    listed = client(SANDBOX_KEY, ENDIVE).v1.apps.installs.list({"app": APP}).data
    assert [(each.account, each.livemode) for each in listed] == [(sandbox.id, False)]
    assert sandbox.id not in [each.account for each in installs()]


def test_a_restart_keeps_sandboxes_installs_and_thin_events(sandbox: Shop, own: Own, endpoint, monkeypatch) -> None:
    control("POST", f"accounts/{sandbox.id}/install_update", {"permissions_pending": ["charge_read"]})
    [before] = client(SANDBOX_KEY, ENDIVE).v1.apps.installs.list().data
    endpoint(url="http://127.0.0.1:1/", environment="sandbox", payload="thin", hears_sandbox=True)
    thin = control("GET", f"events?account={sandbox.id}")["data"][-1]["thin_id"]
    alert = control("POST", f"accounts/{sandbox.id}/health_alert", {})["ids"]["event"]
    read = client(SANDBOX_KEY, ENDIVE, stripe_account=sandbox.id).v2.core.events.retrieve
    kept = [read(each).to_dict() for each in (thin, alert)]
    own.stop()
    own.start()
    monkeypatch.setattr(test_simulator, "BASE", own.url)
    assert client(SANDBOX_KEY, ENDIVE).v1.apps.installs.retrieve(before.id).to_dict() == before.to_dict()
    read = client(SANDBOX_KEY, ENDIVE, stripe_account=sandbox.id).v2.core.events.retrieve
    assert [read(each).to_dict() for each in (thin, alert)] == kept
    [kept] = control("GET", "webhook_endpoints")
    assert (kept["environment"], kept["payload"], kept["hears_sandbox"]) == ("sandbox", "thin", True)
    assert {each["environment"] for each in control("GET", "developers")} == {"test", "live", "sandbox"}


# --- Health alerts


def test_a_health_alert_is_thin_at_every_endpoint_of_its_environment(shop: Shop, thin: Receiver, endpoint) -> None:
    endpoint(secret=SECRET, enabled_events=["charge.succeeded"])
    raised = control("POST", f"accounts/{shop.id}/health_alert", {"severity": "non_critical"})
    heard = bodies(thin, shop.id)
    assert len(heard) == 2 and heard[0] == heard[1]
    event = client(developer()["secret_key"], ENDIVE).parse_event_notification(*thin.received[0], SECRET)
    assert event.type == "v2.core.health.event_generation_failure.raised" and str(event.context) == shop.id
    assert event.related_object is None and heard[0]["snapshot_event"] is None
    data = event.fetch_event().to_dict()["data"]
    assert data == heard[0]["data"] and data["severity"] == "non_critical"
    assert data["alert_id"] == raised["ids"]["alert"] and data["impact"]["context"] == shop.id
    assert set(data["impact"]) == {"event_type", "context", "related_object"}


def test_a_health_alert_may_say_little_and_may_be_lost(shop: Shop, receiver: Receiver, endpoint) -> None:
    endpoint(secret=SECRET)
    path = f"accounts/{shop.id}/health_alert"
    control("POST", "faults", {"deliveries": {"drop": 1, "accounts": [shop.id]}})
    control("POST", path, {})
    control("DELETE", "faults")
    assert bodies(receiver, shop.id) == []
    resolved = control("POST", path, {"type": "resolved", "context": False, "severity": None, "data": False})
    settled(shop.id)
    [kept] = [json.loads(body) for body, _ in receiver.received]
    assert kept["type"].endswith(".resolved") and kept["context"] is None and "data" not in kept
    data = shop.own(ENDIVE).v2.core.events.retrieve(resolved["ids"]["event"]).to_dict()["data"]
    assert "severity" not in data and "context" not in data["impact"] and data["resolved_at"]
