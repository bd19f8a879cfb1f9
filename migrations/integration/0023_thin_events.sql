-- no transaction
-- Every statement can be run again: a file without a transaction may be cut off between any two.

-- Thin events, which have no object in them.
ALTER TABLE stripe_integration.inbox
  ADD COLUMN IF NOT EXISTS is_thin  boolean NOT NULL DEFAULT false,  -- its object has not been asked for
  ADD COLUMN IF NOT EXISTS fetch_at timestamptz;                     -- when its object is asked for; NULL: not now

-- The snapshot of the same happening takes the place of a thin event.
GRANT INSERT (is_thin), SELECT (is_thin), UPDATE (body, is_thin) ON stripe_integration.inbox
   TO stripe_integration_receiver;

SET lock_timeout = '10min';
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.inbox_fetch;
CREATE INDEX CONCURRENTLY inbox_fetch ON stripe_integration.inbox (account_id, livemode, fetch_at)
 WHERE fetch_at IS NOT NULL;
