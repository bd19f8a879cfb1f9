-- A transaction opened for a tenant runs as license_server_tenant with license_server.tenant_id set, and the database
-- itself shows it no other tenant's rows. Without the setting it sees nothing.

DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'license_server' ORDER BY tablename LOOP
    EXECUTE format('ALTER TABLE license_server.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON license_server.%I TO license_server_tenant '
      'USING      (tenant_id = current_setting(''license_server.tenant_id'', true)) '
      'WITH CHECK (tenant_id = current_setting(''license_server.tenant_id'', true))', name);
  END LOOP;
END
$$;

GRANT SELECT
   ON license_server.tenants, license_server.signing_keys
   TO license_server_tenant;

GRANT SELECT, INSERT
   ON license_server.events, license_server.usage_events
   TO license_server_tenant;

GRANT SELECT, INSERT, UPDATE
   ON license_server.api_keys, license_server.product_versions, license_server.features, license_server.subscriptions,
      license_server.orders, license_server.licenses, license_server.devices
   TO license_server_tenant;

GRANT SELECT, INSERT, UPDATE, DELETE
   ON license_server.products, license_server.policies, license_server.customers, license_server.license_features,
      license_server.idempotency_records
   TO license_server_tenant;

-- Who holds this credential? Asked before the tenant is known, so these functions look across tenants, and can answer
-- only for a hash that the caller already has. A host name that belongs to a tenant admits only that tenant's credentials.

CREATE FUNCTION license_server.find_api_key(hash bytea, host text)
RETURNS TABLE (tenant_id text, id text, scopes text[], allowed_cidrs text[], is_active boolean,
               expires_at timestamptz, last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.tenant_id, k.id, k.scopes, k.allowed_cidrs, k.is_active, k.expires_at, k.last_used_at
    FROM license_server.api_keys k
   WHERE k.token_hash = hash
     AND NOT EXISTS (SELECT 1 FROM license_server.tenants t WHERE t.host_name = host AND t.tenant_id <> k.tenant_id)
$$;

CREATE FUNCTION license_server.find_license_key(hash bytea, host text)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.tenant_id, l.id
    FROM license_server.licenses l
   WHERE l.key_hash = hash
     AND NOT EXISTS (SELECT 1 FROM license_server.tenants t WHERE t.host_name = host AND t.tenant_id <> l.tenant_id)
$$;

CREATE FUNCTION license_server.find_tenant(host text)
RETURNS TABLE (tenant_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.tenant_id FROM license_server.tenants t WHERE t.host_name = host
$$;

REVOKE ALL ON FUNCTION license_server.find_api_key(bytea, text)     FROM PUBLIC;
REVOKE ALL ON FUNCTION license_server.find_license_key(bytea, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION license_server.find_tenant(text)             FROM PUBLIC;
