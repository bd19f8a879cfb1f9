-- What a person changes of a license at LicenseKit is seen, and left so; and a license whose policy is another by now is
-- replaced: the new one exists before the old one ends.
--
-- Columns with a constant default are added without rewriting the table.
ALTER TABLE stripe_integration.units
  ADD COLUMN policy_id text   COLLATE "C",                    -- issued under it; NULL: as the line's terms say
  ADD COLUMN replaced  text[] NOT NULL DEFAULT '{}',          -- former licenses, still to be revoked
  ADD COLUMN by_hand   text[] NOT NULL DEFAULT '{}';
-- Not validated: the rows there are have the default, and a scan would lock the table for its time.
ALTER TABLE stripe_integration.units
  ADD CONSTRAINT units_by_hand_check
      CHECK (by_hand <@ ARRAY['suspended', 'reinstated', 'revoked', 'extended']) NOT VALID;

-- Whether the next look compares the licenses with what LicenseKit has.
ALTER TABLE stripe_integration.purchases
  ADD COLUMN inspect boolean NOT NULL DEFAULT false;

-- How far the trail of events of each tenant's LicenseKit was read.
CREATE TABLE stripe_integration.license_watches (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  last_sequence bigint,                        -- NULL: not read yet
  due_at        timestamptz NOT NULL DEFAULT now(),
  note          text,                          -- why it cannot be read
  PRIMARY KEY (account_id, livemode)
);

CREATE INDEX license_watches_due ON stripe_integration.license_watches (due_at);

ALTER TABLE stripe_integration.license_watches ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_integration.license_watches FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stripe_integration.license_watches FOR ALL TO stripe_integration_tenant
  USING (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'))
  WITH CHECK (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'));
GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_integration.license_watches TO stripe_integration_tenant;

-- The worker finds which tenants are to be looked at, and claims them.
GRANT SELECT (account_id, livemode, due_at), UPDATE (due_at) ON stripe_integration.license_watches
   TO stripe_integration_worker;
CREATE POLICY worker_reads ON stripe_integration.license_watches FOR SELECT TO stripe_integration_worker USING (true);
CREATE POLICY worker_claims ON stripe_integration.license_watches FOR UPDATE TO stripe_integration_worker USING (true);
