-- What reports read: activities, the usage ledger, counts of runtime requests, and frozen exports.
--
-- Activities and ledger entries are numbered by time: the second of created_at times 2^20, plus a running number. So "newest
-- first" is the order of sequence, a page's cursor is a sequence, and a window of time is a range of sequences; every index
-- that ends in sequence serves all three.

-- The role of the background work that writes and clears across tenants.
DO $$
BEGIN
  BEGIN
    CREATE ROLE license_server_recorder NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
  END;
  IF NOT pg_has_role(current_user, 'license_server_recorder', 'MEMBER') THEN
    GRANT license_server_recorder TO CURRENT_USER;
  END IF;
END
$$;

GRANT USAGE ON SCHEMA license_server TO license_server_recorder;

CREATE SEQUENCE license_server.time_sequence_numbers AS bigint CYCLE;

CREATE FUNCTION license_server.time_sequence(moment timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT floor(extract(epoch FROM moment))::bigint * 1048576
         + nextval('license_server.time_sequence_numbers') % 1048576
$$;
REVOKE ALL ON FUNCTION license_server.time_sequence(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION license_server.time_sequence(timestamptz) TO license_server_tenant, license_server_recorder;

-- What was asked and how it ended. No foreign keys: an entry outlives what it tells of.
CREATE TABLE license_server.activities (
  tenant_id       text        NOT NULL,
  sequence        bigint      NOT NULL,
  created_at      timestamptz NOT NULL,
  source          text        NOT NULL,               -- runtime, management, system
  action          text        NOT NULL,
  result_class    text        NOT NULL,               -- success, denied, invalid, conflict, not_found, error
  status_code     integer     NOT NULL,
  reason_code     text,                               -- the error's code; NULL for success
  request_id      text,                               -- NULL inside the process
  actor_type      text        NOT NULL,
  actor_id        text        NOT NULL,
  endpoint        text,                               -- of the runtime
  resource_type   text        NOT NULL,
  resource_id     text        COLLATE "C",
  product_id      text        COLLATE "C",
  policy_id       text        COLLATE "C",
  customer_id     text        COLLATE "C",
  license_id      text        COLLATE "C",
  order_id        text        COLLATE "C",
  subscription_id text        COLLATE "C",
  feature_code    text        COLLATE "C",
  app_version     text,
  amount          bigint,
  PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX activities_by_action       ON license_server.activities (tenant_id, action, sequence);
CREATE INDEX activities_by_source       ON license_server.activities (tenant_id, source, sequence);
CREATE INDEX activities_by_product      ON license_server.activities (tenant_id, product_id, sequence)      WHERE product_id IS NOT NULL;
CREATE INDEX activities_by_customer     ON license_server.activities (tenant_id, customer_id, sequence)     WHERE customer_id IS NOT NULL;
CREATE INDEX activities_by_license      ON license_server.activities (tenant_id, license_id, sequence)      WHERE license_id IS NOT NULL;
CREATE INDEX activities_by_order        ON license_server.activities (tenant_id, order_id, sequence)        WHERE order_id IS NOT NULL;
CREATE INDEX activities_by_subscription ON license_server.activities (tenant_id, subscription_id, sequence) WHERE subscription_id IS NOT NULL;
CREATE INDEX activities_by_feature      ON license_server.activities (tenant_id, feature_code, sequence)    WHERE feature_code IS NOT NULL;
CREATE INDEX activities_by_request      ON license_server.activities (tenant_id, request_id, sequence)      WHERE request_id IS NOT NULL;
CREATE INDEX activities_by_result       ON license_server.activities (tenant_id, result_class, sequence);
CREATE INDEX activities_by_status       ON license_server.activities (tenant_id, status_code, sequence);

-- Every runtime request is counted here, and only here when it succeeded and changed nothing.
CREATE TABLE license_server.runtime_counts (
  tenant_id    text        NOT NULL,
  bucket       timestamptz NOT NULL,                  -- the beginning of five minutes
  endpoint     text        NOT NULL,
  result_class text        NOT NULL,
  reason_code  text        NOT NULL,                  -- empty for success
  requests     bigint      NOT NULL,
  PRIMARY KEY (tenant_id, bucket, endpoint, result_class, reason_code)
);

-- Every change of a license's use or quota, written in the transaction of the change. The ids are those of that moment: a
-- transfer later does not take use along. The sum of consumed_change is the license's total.
CREATE TABLE license_server.usage_ledger (
  tenant_id          text        NOT NULL,
  sequence           bigint      NOT NULL,
  created_at         timestamptz NOT NULL,
  action             text        NOT NULL,            -- consume, reset, adjust, credit, quota, remove
  license_id         text        NOT NULL COLLATE "C",
  product_id         text        NOT NULL COLLATE "C",
  policy_id          text        NOT NULL COLLATE "C",
  customer_id        text        COLLATE "C",
  order_id           text        COLLATE "C",
  subscription_id    text        COLLATE "C",
  feature_id         text        NOT NULL COLLATE "C",
  feature_code       text        NOT NULL COLLATE "C",
  amount             bigint      NOT NULL,
  consumed_change    bigint      NOT NULL,
  total_consumptions bigint,                          -- after it; NULL: not known for entries made afterwards
  max_consumptions   bigint,                          -- after it; NULL: unlimited
  event_id           text,                            -- of a consume
  actor_type         text        NOT NULL,
  actor_id           text        NOT NULL,
  PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX usage_ledger_by_license      ON license_server.usage_ledger (tenant_id, license_id, sequence);
CREATE INDEX usage_ledger_by_product      ON license_server.usage_ledger (tenant_id, product_id, sequence);
CREATE INDEX usage_ledger_by_customer     ON license_server.usage_ledger (tenant_id, customer_id, sequence)     WHERE customer_id IS NOT NULL;
CREATE INDEX usage_ledger_by_order        ON license_server.usage_ledger (tenant_id, order_id, sequence)        WHERE order_id IS NOT NULL;
CREATE INDEX usage_ledger_by_subscription ON license_server.usage_ledger (tenant_id, subscription_id, sequence) WHERE subscription_id IS NOT NULL;
CREATE INDEX usage_ledger_by_feature      ON license_server.usage_ledger (tenant_id, feature_code, sequence);
-- Rare beside what is consumed; the predicate keeps them out of the way of consumption.
CREATE INDEX usage_ledger_changes         ON license_server.usage_ledger (tenant_id, action, sequence)          WHERE action <> 'consume';

-- Which ledger entry tells of a use; NULL until there is one (uses from before this migration).
ALTER TABLE license_server.usage_events ADD COLUMN ledger_sequence bigint;

-- A report as it was at one moment, with the bytes that are downloaded.
CREATE TABLE license_server.report_exports (
  tenant_id       text        NOT NULL,
  id              text        NOT NULL COLLATE "C",
  report_kind     text        NOT NULL,
  format          text        NOT NULL,
  status          text        NOT NULL,
  filters         json        NOT NULL,
  digest          text        NOT NULL,               -- SHA-256 of the canonical content, the same for every format
  artifact_digest text        NOT NULL,               -- SHA-256 of the artifact
  content_type    text        NOT NULL,
  artifact        bytea       NOT NULL,
  created_by      text        NOT NULL,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX report_exports_by_time ON license_server.report_exports (tenant_id, created_at);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['activities', 'runtime_counts', 'usage_ledger', 'report_exports'] LOOP
    EXECUTE format('ALTER TABLE license_server.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON license_server.%I TO license_server_tenant '
      'USING      (tenant_id = current_setting(''license_server.tenant_id'', true)) '
      'WITH CHECK (tenant_id = current_setting(''license_server.tenant_id'', true))', name);
    EXECUTE format('CREATE POLICY recorder ON license_server.%I TO license_server_recorder USING (true) WITH CHECK (true)', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['tenants', 'licenses', 'features', 'usage_events'] LOOP
    EXECUTE format('CREATE POLICY recorder_reads ON license_server.%I FOR SELECT TO license_server_recorder USING (true)', name);
  END LOOP;
END
$$;
CREATE POLICY recorder_links ON license_server.usage_events FOR UPDATE TO license_server_recorder USING (true);

GRANT SELECT ON license_server.runtime_counts TO license_server_tenant;
GRANT SELECT, INSERT ON license_server.activities, license_server.usage_ledger, license_server.report_exports
   TO license_server_tenant;

GRANT SELECT (tenant_id)                                                                             ON license_server.tenants  TO license_server_recorder;
GRANT SELECT (tenant_id, id, product_id, policy_id, customer_id, order_id, subscription_id)          ON license_server.licenses TO license_server_recorder;
GRANT SELECT (tenant_id, id, code)                                                                   ON license_server.features TO license_server_recorder;
GRANT SELECT, UPDATE (ledger_sequence)                                                               ON license_server.usage_events TO license_server_recorder;
GRANT SELECT (tenant_id, sequence), INSERT, DELETE                                                   ON license_server.activities   TO license_server_recorder;
GRANT SELECT (tenant_id, sequence), INSERT, DELETE                                                   ON license_server.usage_ledger TO license_server_recorder;
GRANT SELECT, INSERT, UPDATE, DELETE                                                                 ON license_server.runtime_counts TO license_server_recorder;
GRANT SELECT (tenant_id, id, created_at), DELETE                                                     ON license_server.report_exports TO license_server_recorder;
