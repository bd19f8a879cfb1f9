-- Leases that ran out are found across tenants: under the role of upkeep, which sees when they end and nothing else of a device.

GRANT SELECT (tenant_id, lease_id, lease_expires_at) ON license_server.devices TO license_server_upkeep;

CREATE POLICY upkeep_finds ON license_server.devices FOR SELECT TO license_server_upkeep USING (true);
