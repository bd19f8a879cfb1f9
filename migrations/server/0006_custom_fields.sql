-- Custom fields: what a product defines for its licenses or for customers, and the values set. One value stands in the
-- column of its type. Values belong to their license or customer and go with it; a definition that has values stays.

CREATE TABLE license_server.custom_field_definitions (
  tenant_id     text             NOT NULL,
  id            text COLLATE "C" NOT NULL,
  product_id    text COLLATE "C" NOT NULL,
  resource_type text             NOT NULL CHECK (resource_type IN ('license', 'customer')),
  code          text             NOT NULL,
  name          text             NOT NULL,
  value_type    text             NOT NULL CHECK (value_type IN ('string', 'integer', 'boolean', 'datetime', 'enum')),
  is_required   boolean          NOT NULL,
  enum_options  text[]           NOT NULL DEFAULT '{}',
  metadata      json             NOT NULL DEFAULT '{}',
  created_at    timestamptz      NOT NULL,
  updated_at    timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT custom_field_definitions_code UNIQUE (tenant_id, product_id, resource_type, code),
  FOREIGN KEY (tenant_id, product_id) REFERENCES license_server.products
);
CREATE INDEX custom_field_definitions_by_product ON license_server.custom_field_definitions (tenant_id, product_id, id);

CREATE TABLE license_server.custom_field_values (
  tenant_id      text             NOT NULL,
  resource_type  text             NOT NULL CHECK (resource_type IN ('license', 'customer')),
  resource_id    text COLLATE "C" NOT NULL,
  definition_id  text COLLATE "C" NOT NULL,
  license_id     text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN resource_type = 'license'  THEN resource_id END) STORED,
  customer_id    text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN resource_type = 'customer' THEN resource_id END) STORED,
  string_value   text,
  integer_value  bigint,
  boolean_value  boolean,
  datetime_value timestamptz,
  enum_value     text,
  updated_at     timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, resource_type, resource_id, definition_id),
  CHECK (num_nonnulls(string_value, integer_value, boolean_value, datetime_value, enum_value) = 1),
  FOREIGN KEY (tenant_id, definition_id) REFERENCES license_server.custom_field_definitions,
  FOREIGN KEY (tenant_id, license_id)    REFERENCES license_server.licenses,
  FOREIGN KEY (tenant_id, customer_id)   REFERENCES license_server.customers
);
CREATE INDEX custom_field_values_by_definition ON license_server.custom_field_values (tenant_id, definition_id, enum_value);
CREATE INDEX custom_field_values_by_license    ON license_server.custom_field_values (tenant_id, license_id)  WHERE license_id  IS NOT NULL;
CREATE INDEX custom_field_values_by_customer   ON license_server.custom_field_values (tenant_id, customer_id) WHERE customer_id IS NOT NULL;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['custom_field_definitions', 'custom_field_values'] LOOP
    EXECUTE format('ALTER TABLE license_server.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON license_server.%I TO license_server_tenant '
      'USING      (tenant_id = current_setting(''license_server.tenant_id'', true)) '
      'WITH CHECK (tenant_id = current_setting(''license_server.tenant_id'', true))', name);
  END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE
   ON license_server.custom_field_definitions, license_server.custom_field_values
   TO license_server_tenant;

-- What is kept for a while only is cleared away across tenants, by a role that can do just that: it sees and deletes the
-- answers kept for idempotency keys, without their content.

DO $$
BEGIN
  BEGIN
    CREATE ROLE license_server_upkeep NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
  END;
  IF NOT pg_has_role(current_user, 'license_server_upkeep', 'MEMBER') THEN
    GRANT license_server_upkeep TO CURRENT_USER;
  END IF;
END
$$;

GRANT USAGE ON SCHEMA license_server TO license_server_upkeep;
GRANT SELECT (tenant_id, operation, subject, key, expires_at), DELETE
   ON license_server.idempotency_records
   TO license_server_upkeep;
CREATE POLICY upkeep_finds   ON license_server.idempotency_records FOR SELECT TO license_server_upkeep USING (true);
CREATE POLICY upkeep_removes ON license_server.idempotency_records FOR DELETE TO license_server_upkeep USING (true);
