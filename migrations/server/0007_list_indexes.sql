-- no transaction

-- An index whose building was broken off stays behind, unusable: it is taken away before it is built again.

-- Lists of licenses by status and expiry are read policy by policy, each a range of this index.
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_by_policy_expiry;
CREATE INDEX CONCURRENTLY licenses_by_policy_expiry
    ON license_server.licenses (tenant_id, policy_id, state, expires_at, id);

-- What takes their place is there. ends_at is written no more, and read no more: the end of a license's grace follows from
-- its expiry and its policy. The column goes once no replica is left that reads it.
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_by_expiry;
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_by_end;
DROP INDEX CONCURRENTLY IF EXISTS license_server.licenses_expiring;

-- The answers whose time is over, of any tenant, for the sweep.
DROP INDEX CONCURRENTLY IF EXISTS license_server.idempotency_records_by_end;
CREATE INDEX CONCURRENTLY idempotency_records_by_end ON license_server.idempotency_records (expires_at);
DROP INDEX CONCURRENTLY IF EXISTS license_server.idempotency_records_by_expiry;
