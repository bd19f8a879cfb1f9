-- no transaction
-- Every statement can be run again: a file without a transaction may be cut off between any two.

-- When the key of a license was mailed: evidence of delivery, long after the log of deliveries is gone.
SET lock_timeout = '10min';
DROP INDEX CONCURRENTLY IF EXISTS stripe_integration.audit_of_license;
CREATE INDEX CONCURRENTLY audit_of_license ON stripe_integration.audit (account_id, livemode, target, entry_id)
 WHERE action = 'license.mail';
