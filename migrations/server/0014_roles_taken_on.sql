-- no transaction
-- Row-level security binds the owner of the tables as well, and shows rows to nobody who has not taken on a role: not to the
-- service's own user either, whatever roles it is a member of. A statement that forgets its role sees nothing instead of
-- everybody's rows.
--
-- Every later table needs the same three: ENABLE, FORCE, and the policy taken_on. A later migration that reads or writes rows
-- of these tables takes on license_server_operator first.

-- Roles belong to the whole cluster while this file runs once a database, so an existing role is no error. None can log in.
--
--   license_server_operator     what only the operator does: tenants, tokens, signing keys, audit trails
--   license_server_credentials  owns the functions that find the holder of a credential, and sees what they compare
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['license_server_operator', 'license_server_credentials'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
    IF NOT pg_has_role(current_user, name, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', name);
    END IF;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA license_server TO license_server_operator, license_server_credentials;

GRANT SELECT (tenant_id, host_name)
   ON license_server.tenants
   TO license_server_credentials;
GRANT SELECT (tenant_id, id, token_hash, scopes, allowed_cidrs, is_active, expires_at, last_used_at)
   ON license_server.api_keys
   TO license_server_credentials;
GRANT SELECT (tenant_id, id, key_hash)
   ON license_server.licenses
   TO license_server_credentials;

GRANT SELECT, INSERT, UPDATE
   ON license_server.tenants, license_server.signing_keys, license_server.api_keys
   TO license_server_operator;
GRANT SELECT, INSERT
   ON license_server.events, license_server.unlinked_events
   TO license_server_operator;
-- What it does is an activity, too, which names what its subject belongs to.
GRANT INSERT
   ON license_server.activities
   TO license_server_operator;
GRANT SELECT (tenant_id, id, product_id, policy_id, customer_id, order_id, subscription_id)
   ON license_server.licenses
   TO license_server_operator;
GRANT SELECT (tenant_id, id, customer_id, subscription_id)
   ON license_server.orders
   TO license_server_operator;
GRANT SELECT (tenant_id, id, customer_id)
   ON license_server.subscriptions
   TO license_server_operator;
GRANT SELECT
   ON license_server.event_links, license_server.event_chains
   TO license_server_operator;
GRANT EXECUTE
   ON FUNCTION license_server.time_sequence(timestamptz)
   TO license_server_operator;
GRANT SELECT, UPDATE
   ON license_server.idempotency_records, license_server.webhook_endpoints
   TO license_server_operator;

-- A table at a time, each with its commit, so that no request waits for more than one lock.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tenants', 'api_keys', 'licenses'] LOOP
    IF NOT EXISTS (SELECT FROM pg_policies
                    WHERE schemaname = 'license_server' AND tablename = name AND policyname = 'credentials') THEN
      EXECUTE format(
        'CREATE POLICY credentials ON license_server.%I FOR SELECT TO license_server_credentials USING (true)', name);
      COMMIT;
    END IF;
  END LOOP;
  FOREACH name IN ARRAY ARRAY[
    'tenants', 'signing_keys', 'api_keys', 'events', 'unlinked_events', 'event_links', 'event_chains', 'activities',
    'licenses', 'orders', 'subscriptions', 'idempotency_records', 'webhook_endpoints'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_policies
                    WHERE schemaname = 'license_server' AND tablename = name AND policyname = 'operator') THEN
      EXECUTE format(
        'CREATE POLICY operator ON license_server.%I TO license_server_operator USING (true) WITH CHECK (true)', name);
      COMMIT;
    END IF;
  END LOOP;
END
$$;

-- The functions go on answering: their owner is a role that sees what they compare, before the tables' owner sees nothing.
GRANT CREATE ON SCHEMA license_server TO license_server_credentials;

DO $$
DECLARE
  signature regprocedure;
BEGIN
  FOREACH signature IN ARRAY ARRAY[
    'license_server.find_api_key(bytea, text)', 'license_server.find_license_key(bytea, text)',
    'license_server.find_tenant(text)'
  ]::regprocedure[] LOOP
    IF (SELECT proowner FROM pg_proc WHERE oid = signature) <> 'license_server_credentials'::regrole THEN
      EXECUTE format('ALTER FUNCTION %s OWNER TO license_server_credentials', signature);
      SET LOCAL ROLE license_server_credentials;
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', signature, session_user);
      RESET ROLE;
    END IF;
  END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA license_server FROM license_server_credentials;

DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'license_server' ORDER BY tablename LOOP
    IF NOT EXISTS (SELECT FROM pg_policies
                    WHERE schemaname = 'license_server' AND tablename = name AND policyname = 'taken_on') THEN
      EXECUTE format('ALTER TABLE license_server.%I FORCE ROW LEVEL SECURITY', name);
      EXECUTE format(
        'CREATE POLICY taken_on ON license_server.%I AS RESTRICTIVE USING (current_user <> session_user)', name);
      COMMIT;
    END IF;
  END LOOP;
END
$$;
