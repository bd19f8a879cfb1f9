-- What was done from the Dashboard app: one row for each request that changed something, kept for as long as its signature
-- could be sent again. The key is what lets a request be carried out once, whoever sends it again and wherever.
CREATE TABLE stripe_integration.app_requests (
  account_id text        NOT NULL COLLATE "C",
  livemode   boolean     NOT NULL,
  nonce      text        NOT NULL COLLATE "C",
  at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, nonce)
);

CREATE INDEX app_requests_by_time ON stripe_integration.app_requests (account_id, livemode, at);

ALTER TABLE stripe_integration.app_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_integration.app_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stripe_integration.app_requests FOR ALL TO stripe_integration_tenant
  USING (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'))
  WITH CHECK (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'));
-- Never changed: a nonce that was used stays used until its row is removed.
GRANT SELECT, INSERT, DELETE ON stripe_integration.app_requests TO stripe_integration_tenant;

-- The worker finds the tenants that have old rows.
GRANT SELECT (account_id, livemode) ON stripe_integration.app_requests TO stripe_integration_worker;
CREATE POLICY worker_finds ON stripe_integration.app_requests FOR SELECT TO stripe_integration_worker USING (true);
