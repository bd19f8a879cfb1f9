-- A vendor with many licenses, for load tests: psql -v licenses=1000000 -f loadtest/licenses.sql
--
-- License number n has the key 'lsk_load' and n in ten digits, and is active on one machine with the fingerprint 'machine-' and
-- n. Ten products with two policies and four features each; every license has a switch and a metered feature. One license in
-- ten is suspended, one in fifty revoked, one in five has expired; every second belongs to one of a hundred thousand
-- customers, and every hundredth to a subscription and an order of its own.
\set ON_ERROR_STOP on
\set tenant '''default'''

INSERT INTO license_server.tenants (tenant_id, name, created_at)
VALUES (:tenant, 'Default', now())
    ON CONFLICT DO NOTHING;

INSERT INTO license_server.products (tenant_id, id, name, code, created_at, updated_at)
SELECT :tenant, 'prod_load' || p, 'Product ' || p, 'product-' || p, now(), now()
  FROM generate_series(0, 9) AS p;

INSERT INTO license_server.policies
       (tenant_id, id, product_id, name, code, license_type, max_activations, grace_period_days, created_at, updated_at)
SELECT :tenant, 'pol_load' || p || k, 'prod_load' || p, 'Policy ' || k, 'policy-' || k, 'subscription', 3, 7, now(), now()
  FROM generate_series(0, 9) AS p, generate_series(0, 1) AS k;

INSERT INTO license_server.features (tenant_id, id, product_id, code, name, created_at)
SELECT :tenant, 'feat_load' || p || f, 'prod_load' || p, 'feature-' || f, 'Feature ' || f, now()
  FROM generate_series(0, 9) AS p, generate_series(0, 3) AS f;

INSERT INTO license_server.customers (tenant_id, id, name, code, created_at, updated_at)
SELECT :tenant, 'cust_load' || lpad(c::text, 10, '0'), 'Customer ' || c, 'customer-' || c, now(), now()
  FROM generate_series(0, 99999) AS c;

INSERT INTO license_server.subscriptions
       (tenant_id, id, product_id, external_system, external_id, status, current_period_start, current_period_end,
        created_at, updated_at)
SELECT :tenant, 'sub_load' || lpad(n::text, 10, '0'), 'prod_load' || n % 10, 'shop', 'sub-' || n, 'active', now(),
       now() + interval '30 days', now(), now()
  FROM generate_series(0, :licenses - 1, 100) AS n;

INSERT INTO license_server.orders
       (tenant_id, id, product_id, external_system, external_id, status, created_at, updated_at)
SELECT :tenant, 'ord_load' || lpad(n::text, 10, '0'), 'prod_load' || n % 10, 'shop', 'order-' || n, 'paid', now(), now()
  FROM generate_series(0, :licenses - 1, 100) AS n;

INSERT INTO license_server.licenses
       (tenant_id, id, product_id, policy_id, customer_id, order_id, subscription_id, state, key_hash, key_prefix, key_last4,
        expires_at, created_at, updated_at)
SELECT :tenant, 'lic_load' || lpad(n::text, 10, '0'), 'prod_load' || n % 10, 'pol_load' || n % 10 || n / 10 % 2,
       CASE WHEN n % 2 = 0 THEN 'cust_load' || lpad((n / 2 % 100000)::text, 10, '0') END,
       CASE WHEN n % 100 = 0 THEN 'ord_load' || lpad(n::text, 10, '0') END,
       CASE WHEN n % 100 = 0 THEN 'sub_load' || lpad(n::text, 10, '0') END,
       CASE WHEN n % 50 = 7 THEN 'revoked' WHEN n % 10 = 7 THEN 'suspended' ELSE 'active' END,
       sha256(convert_to('lsk_load' || lpad(n::text, 10, '0'), 'UTF8')), 'lsk_load', right(lpad(n::text, 10, '0'), 4),
       e.expires_at, now(), now()
  FROM generate_series(0, :licenses - 1) AS n,
       LATERAL (SELECT date_trunc('day', now()) + (n % 400 + CASE WHEN n % 5 = 3 THEN -800 ELSE 30 END)
                       * interval '1 day' AS expires_at) AS e;

INSERT INTO license_server.license_features
       (tenant_id, license_id, feature_id, enabled, max_consumptions, total_consumptions)
SELECT :tenant, 'lic_load' || lpad(n::text, 10, '0'), 'feat_load' || n % 10 || f, true,
       CASE f WHEN 1 THEN 1000 END, CASE f WHEN 1 THEN n % 1000 ELSE 0 END
  FROM generate_series(0, :licenses - 1) AS n, generate_series(0, 1) AS f;

INSERT INTO license_server.devices
       (tenant_id, license_id, id, binding_kind, binding_key, fingerprint, is_vm, is_container, status, first_seen_at,
        last_seen_at, created_at, updated_at)
SELECT :tenant, 'lic_load' || lpad(n::text, 10, '0'), 'dev_load' || lpad(n::text, 10, '0'), 'hardware',
       'hardware:machine-' || n, 'machine-' || n, false, false, 'active', now() - interval '1 day', now() - interval '1 day',
       now() - interval '1 day', now() - interval '1 day'
  FROM generate_series(0, :licenses - 1) AS n;

INSERT INTO license_server.events
       (tenant_id, event_type, actor_type, actor_id, resource_type, resource_id, created_at)
SELECT :tenant, CASE n % 4 WHEN 0 THEN 'license.activated' ELSE 'usage.consumed' END, 'license',
       'lic_load' || lpad(n::text, 10, '0'), 'license', 'lic_load' || lpad(n::text, 10, '0'), now()
  FROM generate_series(0, :licenses - 1) AS n;

-- A use of each fourth license, as an entry of the ledger and as an activity, over the last forty days.
CREATE TEMPORARY TABLE uses AS
SELECT l.tenant_id, l.id AS license_id, l.product_id, l.policy_id, l.customer_id, l.order_id, l.subscription_id, n,
       now() - n * (interval '40 days' / :licenses) AS created_at
  FROM generate_series(0, :licenses - 1, 4) AS n
  JOIN license_server.licenses l ON l.tenant_id = :tenant AND l.id = 'lic_load' || lpad(n::text, 10, '0');

INSERT INTO license_server.usage_ledger
       (tenant_id, sequence, created_at, action, license_id, product_id, policy_id, customer_id, order_id, subscription_id,
        feature_id, feature_code, amount, consumed_change, actor_type, actor_id)
SELECT tenant_id, license_server.time_sequence(created_at), created_at, 'consume', license_id, product_id, policy_id,
       customer_id, order_id, subscription_id, 'feat_load' || n % 10 || 1, 'feature-1', 1, 1, 'license', license_id
  FROM uses
 ORDER BY created_at;

INSERT INTO license_server.activities
       (tenant_id, sequence, created_at, source, action, result_class, status_code, request_id, actor_type, actor_id, endpoint,
        resource_type, resource_id, product_id, policy_id, customer_id, license_id, order_id, subscription_id, feature_code,
        amount)
SELECT tenant_id, license_server.time_sequence(created_at), created_at, 'runtime', 'usage.consumed',
       CASE WHEN n % 20 = 0 THEN 'denied' ELSE 'success' END, CASE WHEN n % 20 = 0 THEN 403 ELSE 200 END, 'req_load' || n,
       'license', license_id, 'consume', 'license', license_id, product_id, policy_id, customer_id, license_id, order_id,
       subscription_id, 'feature-1', 1
  FROM uses
 ORDER BY created_at;

ANALYZE;
