-- no transaction

-- Lists of licenses by status and expiry are read policy by policy, each a range of this index.
CREATE INDEX CONCURRENTLY IF NOT EXISTS licenses_by_policy_expiry
    ON license_server.licenses (tenant_id, policy_id, state, expires_at, id);

-- What takes their place is there. ends_at is written no more, and read no more: the end of a license's grace follows from
-- its expiry and its policy. The column goes once no replica is left that reads it.
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_by_expiry;
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_by_end;
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_expiring;

-- The answers whose time is over, whose tenant's ever, for the sweep.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idempotency_records_by_end ON license_server.idempotency_records (expires_at);
DROP INDEX CONCURRENTLY IF EXISTS license_server.idempotency_records_by_expiry;
