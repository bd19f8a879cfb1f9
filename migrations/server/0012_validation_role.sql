-- Validations are answered many at a time, of whatever tenants they are, since at each moment thousands of programs may ask.
-- Who asks has shown nothing but a license key, and a row is found by the key's hash alone: the role below sees what such
-- an answer is made of, across tenants, and may write nothing but when a device was seen.

DO $$
BEGIN
  BEGIN
    CREATE ROLE license_server_validation NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
  END;
  IF NOT pg_has_role(current_user, 'license_server_validation', 'MEMBER') THEN
    GRANT license_server_validation TO CURRENT_USER;
  END IF;
END
$$;

GRANT USAGE ON SCHEMA license_server TO license_server_validation;

GRANT SELECT (tenant_id, host_name)
   ON license_server.tenants TO license_server_validation;
GRANT SELECT (tenant_id, kid, status)
   ON license_server.signing_keys TO license_server_validation;
GRANT SELECT (tenant_id, id, product_id, policy_id, state, key_hash, entitlement_version, starts_at, expires_at,
              maintenance_expires_at)
   ON license_server.licenses TO license_server_validation;
GRANT SELECT (tenant_id, id, license_type, grace_period_days, validation_interval_minutes, revision, allow_vm,
              allow_container, require_heartbeat)
   ON license_server.policies TO license_server_validation;
GRANT SELECT (tenant_id, license_id, feature_id, enabled, max_consumptions, total_consumptions, expires_at)
   ON license_server.license_features TO license_server_validation;
GRANT SELECT (tenant_id, id, code)
   ON license_server.features TO license_server_validation;
GRANT SELECT (tenant_id, product_id, version, released_at)
   ON license_server.product_versions TO license_server_validation;
GRANT SELECT (tenant_id, license_id, id, binding_key, status, last_validated_at, holds_seat, lease_expires_at),
      UPDATE (last_seen_at, last_validated_at, ip_address)
   ON license_server.devices TO license_server_validation;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'tenants', 'signing_keys', 'licenses', 'policies', 'license_features', 'features', 'product_versions', 'devices'
  ] LOOP
    EXECUTE format(
      'CREATE POLICY validation_reads ON license_server.%I FOR SELECT TO license_server_validation USING (true)', name);
  END LOOP;
END
$$;

CREATE POLICY validation_stamps ON license_server.devices
   FOR UPDATE TO license_server_validation USING (true) WITH CHECK (true);

-- Stamping a device touches no index, so its new version can stay on the same page where there is room.
ALTER TABLE license_server.devices SET (fillfactor = 80);
