-- no transaction
-- Every statement can be run again: a file without a transaction may be cut off between any two.

-- How much mail a tenant sends through the operator's relay.
ALTER TABLE stripe_integration.mail_settings
  ADD COLUMN IF NOT EXISTS hour_began   timestamptz NOT NULL DEFAULT '-infinity',
  ADD COLUMN IF NOT EXISTS sent_in_hour integer     NOT NULL DEFAULT 0;
ALTER TABLE stripe_integration.deliveries
  ADD COLUMN IF NOT EXISTS replays integer NOT NULL DEFAULT 0;

-- The test mails of the last hour are counted among all that was ever done by hand.
SET lock_timeout = '10min';
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.audit_test_mails;
CREATE INDEX CONCURRENTLY audit_test_mails ON stripe_integration.audit (account_id, livemode, at)
 WHERE action = 'email.test';
