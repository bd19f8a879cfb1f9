-- no transaction
-- Built beside running traffic; dropped first, so that a build that was interrupted can be repeated.

DROP INDEX CONCURRENTLY IF EXISTS license_server.devices_lease_token;
CREATE UNIQUE INDEX CONCURRENTLY devices_lease_token
    ON license_server.devices (tenant_id, lease_token_hash) WHERE lease_id IS NOT NULL;

-- The places taken in one license's pool.
DROP INDEX CONCURRENTLY IF EXISTS license_server.devices_leased;
CREATE INDEX CONCURRENTLY devices_leased
    ON license_server.devices (tenant_id, license_id, lease_expires_at) WHERE lease_id IS NOT NULL;

-- Leases that ran out, over all tenants: for clearing them away.
DROP INDEX CONCURRENTLY IF EXISTS license_server.devices_lease_ends;
CREATE INDEX CONCURRENTLY devices_lease_ends
    ON license_server.devices (lease_expires_at) WHERE lease_id IS NOT NULL;

-- Seats are counted without the devices that only ever held leases.
DROP INDEX CONCURRENTLY IF EXISTS license_server.devices_seated;
CREATE INDEX CONCURRENTLY devices_seated
    ON license_server.devices (tenant_id, license_id, binding_kind) WHERE status = 'active' AND holds_seat;

-- Which the former one is now the same as, and more.
DROP INDEX CONCURRENTLY IF EXISTS license_server.devices_active;
