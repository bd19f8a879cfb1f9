-- Row-level security on every table, forced for the owner as well: whoever does not open a transaction for a tenant, or
-- under one of the roles below, sees nothing.

DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'stripe_integration' AND tablename <> 'schema_migrations' LOOP
    EXECUTE format('ALTER TABLE stripe_integration.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE stripe_integration.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant ON stripe_integration.%I FOR ALL TO stripe_integration_tenant
         USING (account_id = current_setting(''stripe_integration.account_id'', true)
                AND livemode = (current_setting(''stripe_integration.livemode'', true) = ''true''))
         WITH CHECK (account_id = current_setting(''stripe_integration.account_id'', true)
                AND livemode = (current_setting(''stripe_integration.livemode'', true) = ''true''))', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_integration.%I TO stripe_integration_tenant', name);
  END LOOP;
END
$$;

-- Audit entries are written once.
REVOKE UPDATE, DELETE ON stripe_integration.audit FROM stripe_integration_tenant;

-- The receiver inserts. Of what is there it can only open an event again that is delivered again: a failure must never
-- swallow a resend.
GRANT INSERT (account_id, livemode, event_id, type, created, body),
      SELECT (account_id, livemode, event_id, state),
      UPDATE (state)
   ON stripe_integration.inbox
   TO stripe_integration_receiver;
CREATE POLICY receiver_inserts ON stripe_integration.inbox FOR INSERT TO stripe_integration_receiver WITH CHECK (true);
CREATE POLICY receiver_finds ON stripe_integration.inbox FOR SELECT TO stripe_integration_receiver USING (true);
CREATE POLICY receiver_reopens ON stripe_integration.inbox FOR UPDATE TO stripe_integration_receiver USING (true);

-- The worker finds which tenants have something to do, and claims turns.
GRANT SELECT (account_id, livemode, state, received_at) ON stripe_integration.inbox TO stripe_integration_worker;
CREATE POLICY worker ON stripe_integration.inbox FOR SELECT TO stripe_integration_worker USING (true);

GRANT SELECT, UPDATE (claimed_until) ON stripe_integration.turns TO stripe_integration_worker;
CREATE POLICY worker_reads ON stripe_integration.turns FOR SELECT TO stripe_integration_worker USING (true);
CREATE POLICY worker_claims ON stripe_integration.turns FOR UPDATE TO stripe_integration_worker USING (true);

GRANT SELECT (account_id, livemode, status, access_token_expires_at, refresh_token_issued_at, parked_reason)
   ON stripe_integration.connections TO stripe_integration_worker;
CREATE POLICY worker ON stripe_integration.connections FOR SELECT TO stripe_integration_worker USING (true);

-- The operator's pages.
GRANT SELECT (account_id, livemode, status, installed_at, uninstalled_at, access_token_expires_at, licensekit_base_url,
              parked_reason, parked_detail, parked_at, created_at, updated_at)
   ON stripe_integration.connections TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.connections FOR SELECT TO stripe_integration_operator USING (true);

GRANT SELECT (account_id, livemode, state, received_at) ON stripe_integration.inbox TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.inbox FOR SELECT TO stripe_integration_operator USING (true);

GRANT SELECT ON stripe_integration.turns TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.turns FOR SELECT TO stripe_integration_operator USING (true);
