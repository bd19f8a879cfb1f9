-- no transaction
-- Every statement can be run again: a file without a transaction may be cut off between any two.

-- A tenant whose LicenseKit, or whose Stripe, does not answer is left in peace for a while as a whole: an outage must not
-- use up the attempts of each purchase. Columns with a constant default are added without rewriting the table.
ALTER TABLE stripe_integration.turns
  ADD COLUMN IF NOT EXISTS paused_until timestamptz NOT NULL DEFAULT '-infinity',  -- no turn before; one purchase at first after
  ADD COLUMN IF NOT EXISTS paused_at    timestamptz,                               -- when the last pause began
  ADD COLUMN IF NOT EXISTS paused_since timestamptz,                               -- when the outage began; NULL: none
  ADD COLUMN IF NOT EXISTS pauses       integer     NOT NULL DEFAULT 0,            -- in a row; each is longer
  ADD COLUMN IF NOT EXISTS pause_reason text;

-- What the service shows of itself as metrics is counted across tenants, without seeing what is counted.
GRANT SELECT (account_id, livemode, status, attention_at, lease_until, merged_into)
   ON stripe_integration.purchases TO stripe_integration_operator;
DROP POLICY IF EXISTS operator ON stripe_integration.purchases;
CREATE POLICY operator ON stripe_integration.purchases FOR SELECT TO stripe_integration_operator USING (true);
GRANT SELECT (account_id, livemode, kind, state) ON stripe_integration.jobs TO stripe_integration_operator;
DROP POLICY IF EXISTS operator ON stripe_integration.jobs;
CREATE POLICY operator ON stripe_integration.jobs FOR SELECT TO stripe_integration_operator USING (true);

-- Indexes of large tables are built beside live writes; they wait for transactions that are under way, and nothing waits
-- for them. What an earlier attempt left unfinished is dropped first.
SET lock_timeout = '10min';

-- Which purchases a mapping has reached.
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.lines_by_mapping;
CREATE INDEX CONCURRENTLY lines_by_mapping ON stripe_integration.lines (account_id, livemode, mapping_id, purchase_id);

-- From a line of Stripe's to its purchase.
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.lines_by_key;
CREATE INDEX CONCURRENTLY lines_by_key ON stripe_integration.lines (account_id, livemode, line_key);

-- Purchases that wait for a person, over all tenants.
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.purchases_for_people;
CREATE INDEX CONCURRENTLY purchases_for_people ON stripe_integration.purchases (status)
 WHERE status IN ('failed', 'waiting_mapping') AND merged_into IS NULL;

DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.connections_parked;
CREATE INDEX CONCURRENTLY connections_parked ON stripe_integration.connections (parked_reason, account_id, livemode)
 WHERE parked_reason IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.jobs_by_state;
CREATE INDEX CONCURRENTLY jobs_by_state ON stripe_integration.jobs (state)
 WHERE state IN ('queued', 'running', 'failed');
