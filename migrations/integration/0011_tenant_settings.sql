-- What a vendor has chosen for the whole account. No row: everything is as by default.
CREATE TABLE stripe_integration.tenant_settings (
  account_id       text        NOT NULL COLLATE "C",
  livemode         boolean     NOT NULL,
  bare_payments    boolean     NOT NULL DEFAULT false,  -- payments that name in their metadata what they sell are sales
  update_customers boolean     NOT NULL DEFAULT false,  -- changed names and addresses are taken over to LicenseKit
  updated_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode)
);

ALTER TABLE stripe_integration.tenant_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_integration.tenant_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stripe_integration.tenant_settings FOR ALL TO stripe_integration_tenant
  USING (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'))
  WITH CHECK (account_id = current_setting('stripe_integration.account_id', true)
         AND livemode = (current_setting('stripe_integration.livemode', true) = 'true'));
GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_integration.tenant_settings TO stripe_integration_tenant;

-- Everything that withholds or has ended the access of a line, by the last decision; NULL before the first since this
-- column exists.
ALTER TABLE stripe_integration.lines
  ADD COLUMN causes text[];
