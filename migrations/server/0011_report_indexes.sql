-- no transaction
-- Indexes on tables that are in use, built while they are. One that was left half built by an interrupted run is
-- removed first.

DROP INDEX CONCURRENTLY IF EXISTS license_server.events_by_resource_time;
CREATE INDEX CONCURRENTLY events_by_resource_time ON license_server.events (tenant_id, resource_id, created_at, sequence);

-- Uses without a ledger entry: those from before the ledger, and those of a replica that does not know of it yet.
DROP INDEX CONCURRENTLY IF EXISTS license_server.usage_events_without_entry;
CREATE INDEX CONCURRENTLY usage_events_without_entry ON license_server.usage_events (tenant_id, license_id, event_id)
  WHERE ledger_sequence IS NULL;
