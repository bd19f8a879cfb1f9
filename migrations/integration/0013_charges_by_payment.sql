-- no transaction
-- Every statement can be run again: a file without a transaction may be cut off between any two.

-- From a payment to its charges: one that was heard of before the sale was known belongs to it all the same. A column of
-- its own, since row-level security lets no index serve an expression over the snapshot (its operators may leak).
ALTER TABLE stripe_integration.facts
  ADD COLUMN IF NOT EXISTS payment_id text COLLATE "C";   -- the PaymentIntent of a charge; NULL for all else

SET lock_timeout = '10min';
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.facts_by_payment;
CREATE INDEX CONCURRENTLY facts_by_payment ON stripe_integration.facts (account_id, livemode, payment_id)
 WHERE payment_id IS NOT NULL;
