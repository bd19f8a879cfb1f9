"""The simulator, tested with the official Python package: the package must accept it as it accepts Stripe.

Needs STRIPE_SIMULATOR_URL, the address of a running simulator. Every test makes its own merchant account.
"""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import stripe

BASE = os.environ.get("STRIPE_SIMULATOR_URL", "").rstrip("/")
OLD, NEW = "2024-06-20", "2025-08-27.basil"

pytestmark = pytest.mark.skipif(not BASE, reason="STRIPE_SIMULATOR_URL is not set")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect)


def http_call(method, path, data=None, headers=None):
    """Status, headers and text of one request; redirects are not followed."""
    request = urllib.request.Request(BASE + path, data=data, method=method, headers=headers or {})
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def control(method, path, body=None, expect=200):
    data = None if body is None else json.dumps(body).encode()
    status, _, text = http_call(method, "/_control/" + path, data, {"Content-Type": "application/json"})
    assert status == expect, text
    return json.loads(text)


def developer(livemode=False):
    """The app's credentials in one mode, as this simulator was started with them."""
    return next(each for each in control("GET", "developers") if each["livemode"] is livemode)


def settled(account):
    """Waits until every delivery of the account has arrived or was given up."""
    control("POST", "wait_idle", {"account": account, "timeout_ms": 30000})


class Shop:
    """One merchant account in test mode, with a catalogue and the app installed."""

    def __init__(self, **settings):
        made = control("POST", "accounts", {"catalogue": True, "install": ["test"], **settings})
        self.id = made["id"]
        self.own_key = made["keys"]["test"]
        self.prices = made["catalogue"]["test"]["prices"]
        self.products = made["catalogue"]["test"]["products"]

    def scenario(self, name, **body):
        return control("POST", f"accounts/{self.id}/scenarios/{name}", body)

    def app(self, version=NEW):
        """The app's client: the developer's key on behalf of the merchant."""
        return client(developer()["secret_key"], version, stripe_account=self.id)

    def own(self, version=NEW):
        """The merchant's own client."""
        return client(self.own_key, version)


def client(key, version=NEW, **options):
    return stripe.StripeClient(
        key,
        stripe_version=version,
        base_addresses={"api": BASE, "connect": BASE + "/v1"},
        max_network_retries=0,
        **options,
    )


@pytest.fixture
def shop():
    return Shop()


class Receiver:
    """A webhook endpoint on its own port that keeps what it receives."""

    def __init__(self):
        received, self.answers = [], []
        self.received = received
        answers = self.answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(answers.pop(0) if answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def events(self, account):
        parsed = [json.loads(body) for body, _ in self.received]
        return [event for event in parsed if event["account"] == account]


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()


@pytest.fixture
def endpoint(receiver):
    """Registers the receiver, and removes it afterwards so that no other test waits for it."""
    made = []

    def register(**settings):
        settings = {"url": receiver.url, "secret": "whsec_test_one", "livemode": False, "api_version": NEW, **settings}
        made.append(control("POST", "webhook_endpoints", settings)["id"])
        return made[-1]

    yield register
    for each in made:
        control("DELETE", f"webhook_endpoints/{each}")


def authorize(account, **query):
    """Goes through the authorize page as the merchant. Returns the query of the callback."""
    parameters = {"client_id": developer()["client_id"], "redirect_uri": "http://127.0.0.1/back", "auto": account, **query}
    status, headers, _ = http_call("GET", "/oauth/v2/authorize?" + urllib.parse.urlencode(parameters))
    assert status == 302
    location = headers["Location"]
    assert location.startswith("http://127.0.0.1/back?")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))


# --- OAuth


def test_a_code_is_exchanged_once_and_the_token_reads_the_account(shop):
    back = authorize(shop.id, state="opaque&state")
    assert back["state"] == "opaque&state"
    oauth = client(developer()["secret_key"]).oauth
    token = oauth.token({"grant_type": "authorization_code", "code": back["code"]})
    assert token.stripe_user_id == shop.id
    assert token.scope == "stripe_apps" and token.token_type == "bearer" and token.livemode is False
    assert "expires_in" not in token
    assert client(token.access_token).v1.products.list().data
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        oauth.token({"grant_type": "authorization_code", "code": back["code"]})


def test_a_refresh_rolls_the_refresh_token_and_keeps_the_access_token(shop):
    oauth = client(developer()["secret_key"]).oauth
    first = oauth.token({"grant_type": "authorization_code", "code": authorize(shop.id)["code"]})
    second = oauth.token({"grant_type": "refresh_token", "refresh_token": first.refresh_token})
    assert second.refresh_token != first.refresh_token
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        oauth.token({"grant_type": "refresh_token", "refresh_token": first.refresh_token})
    for token in (first, second):
        assert client(token.access_token).v1.products.list().data


def test_basic_authentication_works_and_the_other_modes_key_does_not(shop):
    body = urllib.parse.urlencode({"grant_type": "authorization_code", "code": authorize(shop.id)["code"]}).encode()

    def post(key):
        basic = base64.b64encode(f"{key}:".encode()).decode()
        status, _, text = http_call("POST", "/v1/oauth/token", body, {"Authorization": "Basic " + basic})
        return status, json.loads(text)

    status, answer = post(developer(livemode=True)["secret_key"])
    assert status == 400 and answer["error"] == "invalid_grant"
    assert "does not belong to you" in answer["error_description"]
    assert post("sk_nobody")[0] == 401
    assert post(developer()["secret_key"])[0] == 200


def test_the_authorize_page_offers_accounts_and_a_refusal(shop):
    query = urllib.parse.urlencode({"client_id": developer()["client_id"], "redirect_uri": "http://127.0.0.1/back", "state": "s"})
    status, _, page = http_call("GET", "/oauth/v2/chnlink_1/authorize?" + query)
    assert status == 200 and shop.id in page and "Deny" in page
    denied = authorize("deny", state="s")
    assert denied["error"] == "access_denied" and denied["state"] == "s"
    status, _, page = http_call("GET", "/oauth/v2/authorize?client_id=ca_nobody")
    assert status == 400 and "invalid" in page


def test_an_uninstall_kills_the_token_and_tells_the_app(shop, receiver, endpoint):
    endpoint(secret="whsec_uninstall")
    token = client(developer()["secret_key"]).oauth.token(
        {"grant_type": "authorization_code", "code": authorize(shop.id)["code"]}
    )
    control("POST", f"accounts/{shop.id}/uninstall", {"livemode": False})
    settled(shop.id)
    with pytest.raises(stripe.PermissionError) as failure:
        client(token.access_token).v1.products.list()
    assert failure.value.error.code == "account_invalid"
    event = [each for each in receiver.events(shop.id) if each["type"] == "account.application.deauthorized"]
    assert len(event) == 1
    assert event[0]["data"]["object"]["object"] == "application"
    # No event of this merchant arrives any more.
    heard = len(receiver.events(shop.id))
    shop.scenario("sell", price=shop.prices["perpetual"])
    settled(shop.id)
    assert len(receiver.events(shop.id)) == heard


def test_a_dashboard_install_comes_back_without_state(shop):
    made = control("POST", f"accounts/{shop.id}/install", {"redirect_uri": "http://127.0.0.1/back"})
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(made["callback_url"]).query))
    assert set(query) == {"code"}
    assert client(developer()["secret_key"]).oauth.token({"grant_type": "authorization_code", "code": query["code"]})


# --- The API


def test_lists_page_in_both_directions(shop):
    app = shop.app()
    made = [app.v1.customers.create({"email": f"b{n}@example.com"}).id for n in range(25)]
    newest_first = list(reversed(made))
    page = app.v1.customers.list({"limit": 10})
    assert [each.id for each in page.data] == newest_first[:10] and page.has_more
    second = app.v1.customers.list({"limit": 10, "starting_after": page.data[-1].id})
    assert [each.id for each in second.data] == newest_first[10:20]
    back = app.v1.customers.list({"limit": 5, "ending_before": second.data[0].id})
    assert [each.id for each in back.data] == newest_first[5:10] and back.has_more
    assert [each.id for each in app.v1.customers.list({"limit": 7}).auto_paging_iter()] == newest_first
    with pytest.raises(stripe.InvalidRequestError):
        app.v1.customers.list({"limit": 101})


def test_an_idempotency_key_replays_and_refuses_another_request(shop):
    app = shop.app()
    options = {"idempotency_key": "key-" + shop.id}
    first = app.v1.customers.create({"email": "a+b@example.com"}, options)
    again = app.v1.customers.create({"email": "a+b@example.com"}, options)
    assert again.id == first.id and first.email == "a+b@example.com"
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    with pytest.raises(stripe.IdempotencyError):
        app.v1.customers.create({"email": "other@example.com"}, options)
    assert len(app.v1.customers.list().data) == 1


def test_a_failure_that_took_effect_is_replayed(shop):
    app = shop.app()
    options = {"idempotency_key": "lost-" + shop.id}
    fault = {"status": 500, "times": 1, "method": "POST", "account": shop.id, "takes_effect": True}
    control("POST", "faults", {"api": [fault]})
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            app.v1.customers.create({"email": "x@example.com"}, options)
    assert len(app.v1.customers.list().data) == 1


def test_a_rate_limit_is_not_kept(shop):
    app = shop.app()
    options = {"idempotency_key": "slow-" + shop.id}
    control("POST", "faults", {"api": [{"status": 429, "times": 1, "account": shop.id}]})
    with pytest.raises(stripe.RateLimitError):
        app.v1.customers.create({}, options)
    assert app.v1.customers.create({}, options).id


def test_errors_are_typed(shop):
    app = shop.app()
    with pytest.raises(stripe.InvalidRequestError) as missing:
        app.v1.subscriptions.retrieve("sub_nobody")
    assert missing.value.http_status == 404 and missing.value.code == "resource_missing"
    assert missing.value.param == "id" and missing.value.request_id.startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        app.v1.customers.create({"colour": "red"})
    assert unknown.value.code == "parameter_unknown" and unknown.value.param == "colour"
    with pytest.raises(stripe.AuthenticationError):
        client("sk_test_wrong").v1.customers.list()
    with pytest.raises(stripe.InvalidRequestError):
        app.raw_request("get", "/v1/unicorns")
    with pytest.raises(stripe.PermissionError):
        app.v1.accounts.retrieve(shop.id)


def test_a_missing_permission_is_refused_and_its_events_are_not_heard(shop, receiver, endpoint):
    endpoint(secret="whsec_permissions")
    control("PATCH", f"accounts/{shop.id}", {"permissions": ["event_read", "product_read"], "livemode": False})
    with pytest.raises(stripe.PermissionError) as failure:
        shop.app().v1.customers.list()
    assert failure.value.error.code == "more_permissions_required_for_application"
    assert shop.app().v1.products.list().data
    shop.scenario("sell", price=shop.prices["perpetual"], customer="new")
    settled(shop.id)
    assert not [each for each in receiver.events(shop.id) if each["type"].startswith(("checkout.", "customer."))]


def test_metadata_is_merged_and_the_event_names_what_was(shop):
    app = shop.app()
    customer = app.v1.customers.create({"metadata": {"keep": "1", "change": "a", "drop": "x"}})
    changed = app.v1.customers.update(customer.id, {"metadata": {"change": "b", "drop": "", "new": "n"}})
    assert changed.metadata.to_dict() == {"keep": "1", "change": "b", "new": "n"}
    event = app.v1.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes["metadata"].to_dict() == {"change": "a", "drop": "x", "new": None}
    app.v1.customers.update(customer.id, {"metadata": {"change": "b"}})
    assert len(app.v1.events.list({"type": "customer.updated"}).data) == 1
    assert app.v1.customers.update(customer.id, {"metadata": ""}).metadata.to_dict() == {}
    with pytest.raises(stripe.InvalidRequestError):
        app.v1.customers.update(customer.id, {"metadata": {"k" * 41: "v"}})


def test_lists_for_catching_up_have_stripes_filters_and_pages(shop):
    """Lists that read a whole account: events, subscriptions, sessions and invoices, by time and state, page by page."""
    app = shop.app()
    monthly = shop.prices["pro_monthly"]
    sale = shop.scenario("sell", price=shop.prices["perpetual"])["ids"]
    opened = shop.scenario("open_session", price=shop.prices["perpetual"])["ids"]
    kept = shop.scenario("subscribe", price=monthly)["ids"]
    ended = shop.scenario("subscribe", price=monthly)["ids"]
    shop.scenario("cancel", subscription=ended["subscription"])
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 86_400})
    moment = control("GET", f"accounts/{shop.id}/clock")["now"]
    late = shop.scenario("subscribe", price=monthly)["ids"]

    # The list hides ended subscriptions unless the request asks for them.
    assert {each.id for each in app.v1.subscriptions.list().data} == {kept["subscription"], late["subscription"]}
    everything = [each.id for each in app.v1.subscriptions.list({"status": "all"}).data]
    assert everything == [late["subscription"], ended["subscription"], kept["subscription"]], "newest first"
    since = app.v1.subscriptions.list({"status": "all", "created": {"gte": moment}}).data
    assert [each.id for each in since] == [late["subscription"]]
    first = app.v1.subscriptions.list({"status": "all", "limit": 2})
    rest = app.v1.subscriptions.list({"status": "all", "limit": 2, "starting_after": first.data[-1].id})
    assert first.has_more and not rest.has_more and [each.id for each in rest.data] == [kept["subscription"]]

    complete = {each.id for each in app.v1.checkout.sessions.list({"status": "complete"}).data}
    assert sale["session"] in complete and opened["session"] not in complete
    newer = app.v1.checkout.sessions.list({"status": "complete", "created": {"gte": moment}}).data
    assert [each.id for each in newer] == [late["session"]]
    paid = app.v1.invoices.list({"status": "paid", "created": {"gte": moment}}).data
    assert [each.id for each in paid] == [late["invoice"]]
    assert [each.id for each in app.v1.invoices.list({"status": "paid", "subscription": kept["subscription"]}).data] == [
        kept["invoice"]
    ]

    types = ["checkout.session.completed", "customer.subscription.deleted"]
    events = app.v1.events.list({"types": types, "created": {"gte": 0}}).data
    assert [each.type for each in events].count("customer.subscription.deleted") == 1
    assert {each.type for each in events} == set(types)
    assert [each.created for each in events] == sorted((each.created for each in events), reverse=True)
    assert all(each.created >= moment for each in app.v1.events.list({"created": {"gte": moment}, "limit": 100}).data)
    assert "account" not in events[0].to_dict(), "only deliveries name the account"
    with pytest.raises(stripe.InvalidRequestError):
        app.v1.events.list({"types": ["invoice.paid"] * 21})
    # Stripe forgets events after 30 days.
    control("POST", f"accounts/{shop.id}/advance", {"seconds": 31 * 86_400})
    assert not app.v1.events.list({"types": types}).data


def test_line_items_are_refused_as_expansion_but_served_as_a_list(shop):
    sale = shop.scenario("sell", lines=[{"price": shop.prices["perpetual"], "quantity": 2}], repeat_lines=120)["ids"]
    app = shop.app()
    session = app.v1.checkout.sessions.retrieve(sale["session"])
    assert "line_items" not in session and session.payment_status == "paid"
    with pytest.raises(stripe.PermissionError):
        app.v1.checkout.sessions.retrieve(sale["session"], {"expand": ["line_items"]})
    lines = app.v1.checkout.sessions.line_items.list(sale["session"], {"limit": 100})
    assert [each.id for each in lines.auto_paging_iter()] == sale["line_items"]
    assert lines.data[0].quantity == 2 and lines.data[0].price.product == shop.products["perpetual"]
    own = shop.own().v1.checkout.sessions.retrieve(sale["session"], {"expand": ["line_items", "payment_intent.latest_charge"]})
    assert len(own.line_items.data) == 10 and own.line_items.has_more
    assert own.payment_intent.latest_charge.id == sale["charge"]
    assert app.v1.checkout.sessions.list({"payment_intent": sale["payment_intent"]}).data[0].id == sale["session"]


def test_both_shapes_of_a_subscription_and_its_invoice(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"], quantity=3)["ids"]
    old, new = shop.app(OLD), shop.app(NEW)
    subscription = new.v1.subscriptions.retrieve(made["subscription"])
    assert "current_period_end" not in subscription
    assert subscription["items"].data[0].current_period_end == made["current_period_end"]
    assert subscription["items"].data[0].quantity == 3
    former = old.v1.subscriptions.retrieve(made["subscription"])
    assert former.current_period_end == made["current_period_end"]
    assert "current_period_end" not in former["items"].data[0]

    invoice = new.v1.invoices.retrieve(made["invoice"])
    assert "subscription" not in invoice and "payment_intent" not in invoice and "paid" not in invoice
    assert invoice.parent.subscription_details.subscription == made["subscription"]
    assert invoice.lines.data[0].pricing.price_details.price == shop.prices["pro_monthly"]
    former = old.v1.invoices.retrieve(made["invoice"])
    assert former.subscription == made["subscription"] and former.paid is True
    assert former.payment_intent == made["payment_intent"] and "parent" not in former
    assert former.lines.data[0].price.product == shop.products["pro"]
    assert former.lines.data[0].type == "subscription"

    assert "invoice" not in new.v1.payment_intents.retrieve(made["payment_intent"])
    assert old.v1.payment_intents.retrieve(made["payment_intent"]).invoice == made["invoice"]
    payment = new.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": made["payment_intent"]}}
    ).data[0]
    assert payment.invoice == made["invoice"] and payment.status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        old.v1.invoice_payments.list({"invoice": made["invoice"]})
    assert new.v1.invoices.list({"subscription": made["subscription"]}).data[0].id == made["invoice"]


def test_long_invoices_and_subscriptions_show_ten_lines_and_page_the_rest(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"], repeat_lines=12)["ids"]
    for version in (OLD, NEW):
        app = shop.app(version)
        invoice = app.v1.invoices.retrieve(made["invoice"])
        assert len(invoice.lines.data) == 10 and invoice.lines.has_more
        assert len(list(app.v1.invoices.line_items.list(made["invoice"], {"limit": 7}).auto_paging_iter())) == 12
        subscription = app.v1.subscriptions.retrieve(made["subscription"])
        assert len(subscription["items"].data) == 10 and subscription["items"].has_more
        paged = app.v1.subscription_items.list({"subscription": made["subscription"], "limit": 100})
        assert [each.id for each in paged.data] == made["items"] and not paged.has_more


def test_credit_notes_and_invoices_paid_elsewhere_in_both_shapes(shop):
    made = shop.scenario("invoice", price=shop.prices["perpetual"])["ids"]
    note = shop.scenario("refund", invoice=made["invoice"], amount=900, credit_note=True)["ids"]
    assert shop.app(OLD).v1.credit_notes.retrieve(note["credit_note"]).refund == note["refund"]
    assert shop.app(NEW).v1.credit_notes.retrieve(note["credit_note"]).refunds[0].refund == note["refund"]
    elsewhere = shop.scenario("invoice", price=shop.prices["perpetual"], then="out_of_band")
    types = [each["type"] for each in elsewhere["events"]]
    assert "invoice.paid" in types and "invoice.payment_succeeded" not in types
    assert shop.app(OLD).v1.invoices.retrieve(elsewhere["ids"]["invoice"]).paid_out_of_band is True
    assert shop.app(NEW).v1.invoices.retrieve(elsewhere["ids"]["invoice"]).amount_paid == 4900


def test_checkout_makes_the_subscription_before_the_payment_for_old_integrations_only():
    def states(version):
        shop = Shop(api_version=version)
        shop.scenario("subscribe", price=shop.prices["pro_monthly"])
        event = shop.own(version).v1.events.list({"type": "customer.subscription.created"}).data[0]
        return event.data.object.status

    assert states(OLD) == "incomplete" and states(NEW) == "active"


# --- Webhooks


def test_deliveries_are_signed_with_every_secret_and_verify(shop, receiver, endpoint):
    endpoint(secret=None, secrets=["whsec_new", "whsec_old"])
    sale = shop.scenario("sell", price=shop.prices["perpetual"], customer="new")
    settled(shop.id)
    mine = [(body, header) for body, header in receiver.received if json.loads(body)["account"] == shop.id]
    assert len(mine) == len(sale["events"])
    for body, header in mine:
        assert b"\n  " in body and header.count("v1=") == 2
        for secret in ("whsec_new", "whsec_old"):
            assert stripe.Webhook.construct_event(body, header, secret).account == shop.id
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body.replace(b"acct_", b"acct-"), header, "whsec_new")
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, header, "whsec_other")


def test_a_one_off_sale_sends_what_stripe_sends(shop):
    types = [each["type"] for each in shop.scenario("sell", price=shop.prices["perpetual"])["events"]]
    assert sorted(types) == sorted(
        ["payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.updated", "checkout.session.completed"]
    )


def test_a_subscription_sends_what_stripe_sends(shop):
    types = [each["type"] for each in shop.scenario("subscribe", price=shop.prices["pro_monthly"])["events"]]
    for expected in (
        "customer.created customer.subscription.created invoice.created invoice.finalized payment_intent.created "
        "charge.succeeded payment_intent.succeeded invoice.paid invoice.payment_succeeded invoice_payment.paid "
        "checkout.session.completed customer.subscription.updated"
    ).split():
        assert types.count(expected) == 1, expected


def test_old_endpoints_get_old_objects_and_no_invoice_payments(shop, receiver, endpoint):
    endpoint(api_version=OLD)
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    settled(shop.id)
    events = {each["type"]: each for each in receiver.events(shop.id)}
    assert events["invoice.paid"]["data"]["object"]["subscription"] == made["subscription"]
    assert events["invoice.paid"]["api_version"] == OLD
    assert "invoice_payment.paid" not in events
    assert events["customer.subscription.updated"]["data"]["previous_attributes"]


def test_a_refused_delivery_is_tried_again_with_a_fresh_signature(shop, receiver, endpoint):
    endpoint()
    receiver.answers[:] = [500, 302]
    shop.scenario("bare_payment", amount=500, metadata={"product": "x"})
    settled(shop.id)
    ids = [each["id"] for each in receiver.events(shop.id)]
    assert len(ids) == len(set(ids)) + 2
    assert all(
        stripe.Webhook.construct_event(body, header, "whsec_test_one")
        for body, header in receiver.received
        if json.loads(body)["account"] == shop.id
    )


def test_test_events_reach_the_live_endpoint_only_when_both_modes_are_installed(receiver, endpoint):
    endpoint(livemode=True, secret="whsec_live")
    test_only = Shop()
    both = Shop(install=["test", "live"])
    for shop in (test_only, both):
        shop.scenario("sell", price=shop.prices["perpetual"])
        settled(shop.id)
    assert not receiver.events(test_only.id)
    assert [each for each in receiver.events(both.id) if each["livemode"] is False]


def test_held_deliveries_are_released_in_the_order_asked_for(shop, receiver, endpoint):
    endpoint()
    control("POST", "deliveries/hold", {"account": shop.id})
    try:
        events = [each["id"] for each in shop.scenario("sell", price=shop.prices["perpetual"])["events"]]
    finally:
        control("POST", "deliveries/release", {"account": shop.id, "order": list(reversed(events))})
    settled(shop.id)
    assert [each["id"] for each in receiver.events(shop.id)] == list(reversed(events))


def test_a_dropped_delivery_is_found_by_asking_for_failures(shop, receiver, endpoint):
    endpoint()
    control("POST", "faults", {"deliveries": {"drop": 1, "types": ["checkout.session.completed"], "accounts": [shop.id]}})
    try:
        sale = shop.scenario("sell", price=shop.prices["perpetual"])
    finally:
        control("DELETE", "faults")
    settled(shop.id)
    failed = shop.app().v1.events.list({"delivery_success": False, "types": ["checkout.session.completed"]}).data
    assert [each.data.object.id for each in failed] == [sale["ids"]["session"]]
    assert "checkout.session.completed" not in [each["type"] for each in receiver.events(shop.id)]


# --- Lives of subscriptions


def status_of(shop, subscription):
    return shop.app().v1.subscriptions.retrieve(subscription).status


def test_a_renewal_extends_the_period_by_a_calendar_month(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    renewed = shop.scenario("renew", subscription=made["subscription"])
    assert renewed["ids"]["current_period_end"] > made["current_period_end"] + 27 * 86400
    assert renewed["ids"]["invoice"] != made["invoice"] and renewed["ids"]["invoice_status"] == "paid"
    types = [each["type"] for each in renewed["events"]]
    assert types.index("invoice.created") < types.index("invoice.finalized") < types.index("invoice.paid")
    invoice = shop.app().v1.invoices.retrieve(renewed["ids"]["invoice"])
    assert invoice.billing_reason == "subscription_cycle"
    assert invoice.lines.data[0].period.end == renewed["ids"]["current_period_end"]


def test_renewing_one_subscription_alone_leaves_the_others_and_the_clock(shop):
    first = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    other = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    renewed = shop.scenario("renew", subscription=first["subscription"], alone=True)["ids"]
    assert renewed["current_period_end"] > first["current_period_end"] and renewed["now"] - first["now"] < 60
    assert shop.app().v1.subscriptions.retrieve(other["subscription"])["items"].data[0].current_period_end == other["current_period_end"]


@pytest.mark.parametrize("outcome", ["canceled", "unpaid", "past_due"])
def test_dunning_ends_as_the_merchant_chose(outcome):
    shop = Shop(dunning=outcome)
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    failed = shop.scenario("fail", subscription=made["subscription"])
    assert "invoice.payment_failed" in [each["type"] for each in failed["events"]]
    assert status_of(shop, made["subscription"]) == "past_due"
    shop.scenario("fail", subscription=made["subscription"], exhaust=True)
    assert status_of(shop, made["subscription"]) == outcome


def test_a_recovered_payment_makes_the_subscription_active(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    shop.scenario("fail", subscription=made["subscription"])
    recovered = shop.scenario("recover", subscription=made["subscription"])
    assert recovered["ids"]["status"] == "active" and recovered["ids"]["invoice_status"] == "paid"
    assert "invoice.paid" in [each["type"] for each in recovered["events"]]


def test_a_trial_bills_nothing_first_and_ends_by_itself(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"], trial_days=14)["ids"]
    assert made["status"] == "trialing"
    assert shop.app().v1.invoices.retrieve(made["invoice"]).amount_paid == 0
    assert shop.app().v1.checkout.sessions.retrieve(made["session"]).payment_status == "no_payment_required"
    seen = control("POST", f"accounts/{shop.id}/advance", {"seconds": 15 * 86400})
    types = [each["type"] for each in seen["events"]]
    assert types.count("customer.subscription.trial_will_end") == 1 and "invoice.paid" in types
    assert status_of(shop, made["subscription"]) == "active"


def test_a_cancellation_at_period_end_can_be_undone_or_comes_true(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    shop.scenario("cancel", subscription=made["subscription"], when="period_end")
    assert shop.app().v1.subscriptions.retrieve(made["subscription"]).cancel_at_period_end is True
    shop.scenario("undo_cancel", subscription=made["subscription"])
    assert shop.app().v1.subscriptions.retrieve(made["subscription"]).cancel_at_period_end is False
    shop.scenario("cancel", subscription=made["subscription"], when="period_end")
    seen = control("POST", f"accounts/{shop.id}/advance", {"seconds": 32 * 86400})
    assert "customer.subscription.deleted" in [each["type"] for each in seen["events"]]
    ended = shop.app().v1.subscriptions.retrieve(made["subscription"])
    assert ended.status == "canceled" and ended.ended_at == made["current_period_end"]


def test_a_change_of_plan_is_billed_by_proration(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    changed = shop.scenario("change", subscription=made["subscription"], price=shop.prices["team_monthly"], quantity=2)["ids"]
    assert changed["items"] == made["items"]
    invoice = shop.app().v1.invoices.retrieve(changed["invoice"])
    assert invoice.billing_reason == "subscription_update"
    assert [line.parent.subscription_item_details.proration for line in invoice.lines.data] == [True, True]
    assert sorted(line.amount > 0 for line in invoice.lines.data) == [False, True]


def test_pausing_collection_leaves_the_status(shop):
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    paused = shop.scenario("pause", subscription=made["subscription"])
    assert [each["type"] for each in paused["events"]] == ["customer.subscription.updated"]
    subscription = shop.app().v1.subscriptions.retrieve(made["subscription"])
    assert subscription.status == "active" and subscription.pause_collection.behavior == "void"
    shop.scenario("resume", subscription=made["subscription"])
    assert shop.app().v1.subscriptions.retrieve(made["subscription"]).pause_collection is None


# --- Money that moves back


def test_a_delayed_payment_completes_unpaid_and_pays_later(shop):
    sale = shop.scenario("sell", price=shop.prices["perpetual"], delayed=True)["ids"]
    session = shop.app().v1.checkout.sessions.retrieve(sale["session"])
    assert session.status == "complete" and session.payment_status == "unpaid"
    later = shop.scenario("async_succeed", session=sale["session"])
    assert "checkout.session.async_payment_succeeded" in [each["type"] for each in later["events"]]
    assert shop.app().v1.checkout.sessions.retrieve(sale["session"]).payment_status == "paid"


def test_refunds_add_up_and_a_failed_one_gives_the_money_back(shop):
    sale = shop.scenario("sell", price=shop.prices["perpetual"])["ids"]
    shop.scenario("refund", charge=sale["charge"], amount=1000)
    charge = shop.app().v1.charges.retrieve(sale["charge"])
    assert charge.amount_refunded == 1000 and charge.refunded is False
    rest = shop.scenario("refund", charge=sale["charge"])["ids"]
    assert shop.app().v1.charges.retrieve(sale["charge"]).refunded is True
    failed = shop.scenario("fail_refund", refund=rest["refund"])
    assert "refund.failed" in [each["type"] for each in failed["events"]]
    charge = shop.app().v1.charges.retrieve(sale["charge"])
    assert charge.amount_refunded == 1000 and charge.refunded is False


@pytest.mark.parametrize("end", ["won", "lost"])
def test_a_dispute_opens_and_closes(shop, end):
    sale = shop.scenario("sell", price=shop.prices["perpetual"])["ids"]
    opened = shop.scenario("dispute", payment_intent=sale["payment_intent"])
    types = [each["type"] for each in opened["events"]]
    assert "charge.dispute.created" in types and "charge.dispute.funds_withdrawn" in types
    closed = shop.scenario("close_dispute", dispute=opened["ids"]["dispute"], status=end)
    types = [each["type"] for each in closed["events"]]
    assert ("charge.dispute.funds_reinstated" in types) == (end == "won")
    assert shop.app().v1.disputes.retrieve(opened["ids"]["dispute"]).status == end


def test_an_inquiry_moves_no_money(shop):
    sale = shop.scenario("sell", price=shop.prices["perpetual"])["ids"]
    opened = shop.scenario("dispute", charge=sale["charge"], status="warning_needs_response")
    assert [each["type"] for each in opened["events"]] == ["charge.dispute.created"]


# --- The merchant's own backend


def test_a_session_made_by_the_shop_is_paid_on_the_hosted_page(shop):
    session = shop.own().v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price": shop.prices["perpetual"], "quantity": 2}],
            "success_url": "http://127.0.0.1/thanks?session={CHECKOUT_SESSION_ID}",
            "metadata": {"order": "7"},
        }
    )
    assert session.status == "open" and session.url.startswith(BASE)
    path = urllib.parse.urlsplit(session.url).path
    assert "Pay by card" in http_call("GET", path)[2]
    status, headers, _ = http_call("POST", path, b"email=me%2Byou%40example.com&name=Me&decision=pay")
    assert status == 302 and headers["Location"] == f"http://127.0.0.1/thanks?session={session.id}"
    paid = shop.app().v1.checkout.sessions.retrieve(session.id)
    assert paid.payment_status == "paid" and paid.customer_details.email == "me+you@example.com"
    assert paid.metadata["order"] == "7" and paid.amount_total == 9800


def test_a_payment_link_leads_to_a_session_that_names_it(shop):
    link = control(
        "POST", f"accounts/{shop.id}/payment_links", {"lines": [{"price": shop.prices["perpetual"]}], "metadata": {"from": "link"}}
    )["ids"]["payment_link"]
    status, headers, _ = http_call("GET", "/buy/" + link)
    assert status == 302 and headers["Location"].startswith("/c/pay/cs_test_")
    sale = shop.scenario("sell", payment_link=link)["ids"]
    session = shop.app().v1.checkout.sessions.retrieve(sale["session"])
    assert session.payment_link == link and session.metadata["from"] == "link"


def test_the_request_log_names_calls_without_secrets(shop):
    shop.app().v1.customers.create({"email": "secret@example.com"}, {"idempotency_key": "log-" + shop.id})
    entries = control("GET", "requests?account=" + shop.id)["data"]
    last = entries[-1]
    assert (last["method"], last["path"], last["idempotency_key"]) == ("POST", "/v1/customers", "log-" + shop.id)
    assert "secret@example.com" not in json.dumps(entries) and "sk_test" not in json.dumps(entries)


def test_a_slow_call_waits(shop):
    control("POST", "faults", {"api": [{"status": 0, "times": 1, "delay_ms": 300, "account": shop.id}]})
    start = time.monotonic()
    shop.app().v1.products.list()
    assert time.monotonic() - start >= 0.3


# --- A simulator for one test: the test moves its clock, and stops and starts it again


class Own:
    """A simulator process with a state file."""

    def __init__(self, folder):
        build = pathlib.Path(__file__).resolve().parents[2] / ".build" / "debug"
        self.binary = pathlib.Path(os.environ.get("LICENSEKIT_BIN", build)) / "stripe-simulator"
        if not self.binary.exists():
            pytest.skip(f"{self.binary} is not built")
        self.folder, self.process, self.url = folder, None, ""

    def start(self):
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [self.binary, "serve", "--address", "127.0.0.1:0", "--port-file", port_file, "--state", self.folder / "state"],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not port_file.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "the simulator did not start"
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{port_file.read_text().strip()}"

    def stop(self):
        if self.process:
            self.process.terminate()
            assert self.process.wait(timeout=20) == 0
            self.process = None


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Every helper of this file uses this simulator while the test runs."""
    simulator = Own(tmp_path)
    simulator.start()
    monkeypatch.setattr(sys.modules[__name__], "BASE", simulator.url)
    yield simulator
    simulator.stop()


def test_tokens_and_codes_run_out(own):
    shop = Shop()
    oauth = client(developer()["secret_key"]).oauth
    late = authorize(shop.id)["code"]
    token = oauth.token({"grant_type": "authorization_code", "code": authorize(shop.id)["code"]})
    control("POST", "clock", {"seconds": 301})
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        oauth.token({"grant_type": "authorization_code", "code": late})
    assert client(token.access_token).v1.products.list().data
    control("POST", "clock", {"seconds": 3600})
    with pytest.raises(stripe.AuthenticationError) as failure:
        client(token.access_token).v1.products.list()
    assert failure.value.error.code == "api_key_expired"
    fresh = oauth.token({"grant_type": "refresh_token", "refresh_token": token.refresh_token})
    assert client(fresh.access_token).v1.products.list().data


def test_a_restart_keeps_everything(own, monkeypatch):
    shop = Shop()
    token = client(developer()["secret_key"]).oauth.token(
        {"grant_type": "authorization_code", "code": authorize(shop.id)["code"]}
    )
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    before = [each.id for each in shop.app().v1.events.list({"limit": 100}).data]
    customer = shop.app().v1.customers.create({"email": "kept@example.com"}, {"idempotency_key": "kept"})
    own.stop()
    own.start()
    monkeypatch.setattr(sys.modules[__name__], "BASE", own.url)
    again = client(token.access_token)
    assert again.v1.subscriptions.retrieve(made["subscription"]).status == "active"
    assert [each.id for each in again.v1.events.list({"limit": 100}).data][1:] == before
    assert again.v1.customers.create({"email": "kept@example.com"}, {"idempotency_key": "kept"}).id == customer.id
    renewed = shop.scenario("renew", subscription=made["subscription"])["ids"]
    assert renewed["current_period_end"] > made["current_period_end"]


def test_a_test_clock_lives_through_a_year(own):
    shop = Shop()
    made = shop.scenario("subscribe", price=shop.prices["pro_monthly"])["ids"]
    seen = control("POST", f"accounts/{shop.id}/advance", {"seconds": 366 * 86400})
    types = [each["type"] for each in seen["events"]]
    assert types.count("invoice.paid") == 12 and types.count("invoice.upcoming") in (12, 13)
    assert len(list(shop.app().v1.invoices.list({"subscription": made["subscription"], "limit": 5}).auto_paging_iter())) == 13


def test_the_same_seed_makes_the_same_faults_and_never_the_same_ids(own):
    shop = Shop()
    seen = []
    for _ in range(2):
        control("POST", "faults", {"seed": 7, "deliveries": {"twin": 0.5}})
        sales = [shop.scenario("sell", price=shop.prices["perpetual"])["events"] for _ in range(5)]
        seen.append([[each["type"] for each in sale] for sale in sales])
    assert seen[0] == seen[1] and any(len(sale) > 5 for sale in seen[0])
    ids = [each.id for each in shop.own().v1.events.list({"limit": 100}).auto_paging_iter()]
    assert len(ids) == len(set(ids))
