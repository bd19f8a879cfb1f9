-- How Stripe sees the installations of the app: what it says in events, and in the list of them that the developer may read.
CREATE TABLE stripe_integration.installs (
  account_id          text        NOT NULL COLLATE "C",
  livemode            boolean     NOT NULL,
  install_id          text        NOT NULL,
  status              text        NOT NULL,               -- Stripe's own word
  channel             text,
  permissions_granted text[]      NOT NULL DEFAULT '{}',
  permissions_pending text[]      NOT NULL DEFAULT '{}',  -- asked for by a version of the app, and not approved yet
  endpoints_pending   text[]      NOT NULL DEFAULT '{}',
  approval_required   boolean     NOT NULL DEFAULT false,
  installed_at        timestamptz NOT NULL,               -- of two installations of one account, the later counts
  pending_since       timestamptz,                        -- since when something waits for approval, by Stripe's clock
  as_of               timestamptz NOT NULL,               -- Stripe's clock: what is older changes nothing
  updated_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode)
);

CREATE INDEX installs_pending ON stripe_integration.installs (account_id, livemode)
 WHERE pending_since IS NOT NULL;

ALTER TABLE stripe_integration.installs ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_integration.installs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stripe_integration.installs FOR ALL TO stripe_integration_tenant
  USING (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'))
  WITH CHECK (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'));
CREATE POLICY taken_on ON stripe_integration.installs AS RESTRICTIVE USING (current_user <> session_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_integration.installs TO stripe_integration_tenant;

-- The worker finds the connections that a list of installations did not name; the operator's pages show what is pending.
GRANT SELECT (account_id, livemode, as_of) ON stripe_integration.installs TO stripe_integration_worker;
CREATE POLICY worker_finds ON stripe_integration.installs FOR SELECT TO stripe_integration_worker USING (true);
GRANT SELECT (installed_at, environment) ON stripe_integration.connections TO stripe_integration_worker;
GRANT SELECT ON stripe_integration.installs TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.installs FOR SELECT TO stripe_integration_operator USING (true);

-- When the list of installations is read: one row for each environment of the app, which is no vendor's.
CREATE TABLE stripe_integration.install_lists (
  environment  text        NOT NULL PRIMARY KEY,
  due_at       timestamptz NOT NULL DEFAULT now(),
  leased_until timestamptz NOT NULL DEFAULT '-infinity',  -- a replica reads it
  asked_at     timestamptz,                         -- an event has given reason to read it since it was begun
  tried_at     timestamptz,                         -- when it was last begun
  read_at      timestamptz,                         -- when it was last read to its end
  problem      text                                 -- why it cannot be read; nothing else stops for that
);

ALTER TABLE stripe_integration.install_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_integration.install_lists FORCE ROW LEVEL SECURITY;
CREATE POLICY taken_on ON stripe_integration.install_lists AS RESTRICTIVE USING (current_user <> session_user);
GRANT SELECT, INSERT, UPDATE ON stripe_integration.install_lists TO stripe_integration_worker;
CREATE POLICY worker ON stripe_integration.install_lists FOR ALL TO stripe_integration_worker
  USING (true) WITH CHECK (true);
-- An event of a tenant gives reason to read the list soon.
GRANT SELECT (environment, asked_at), UPDATE (asked_at) ON stripe_integration.install_lists
   TO stripe_integration_tenant;
CREATE POLICY tenant_asks ON stripe_integration.install_lists FOR UPDATE TO stripe_integration_tenant
  USING (true) WITH CHECK (true);
CREATE POLICY tenant_finds ON stripe_integration.install_lists FOR SELECT TO stripe_integration_tenant USING (true);
GRANT SELECT ON stripe_integration.install_lists TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.install_lists FOR SELECT TO stripe_integration_operator USING (true);

-- An alert that Stripe could not make events, and that names no account, makes the sweeps of all due.
GRANT UPDATE (due_at) ON stripe_integration.sweeps TO stripe_integration_worker;
CREATE POLICY worker_asks ON stripe_integration.sweeps FOR UPDATE TO stripe_integration_worker USING (true) WITH CHECK (true);
