-- Events from before the trigger of 0004 are linked, too, oldest first, and not told to anybody. A file of its own after 0004:
-- nothing of this waits for a lock on events.
INSERT INTO license_server.unlinked_events (tenant_id, sequence, is_announced)
SELECT tenant_id, sequence, false
  FROM license_server.events
    ON CONFLICT (tenant_id, sequence) DO NOTHING;

-- Outgoing webhooks. Where a tenant wants to be told of its events.
CREATE TABLE license_server.webhook_endpoints (
  tenant_id            text             NOT NULL REFERENCES license_server.tenants,
  id                   text COLLATE "C" NOT NULL,
  name                 text             NOT NULL,
  url                  text             NOT NULL,
  event_types          text[]           NOT NULL DEFAULT '{}',   -- empty: all
  is_active            boolean          NOT NULL DEFAULT true,
  secret_prefix        text             NOT NULL,
  sealed_secret        bytea            NOT NULL,
  former_sealed_secret bytea,                                    -- signs as well until the time below
  former_secret_until  timestamptz,
  created_at           timestamptz      NOT NULL,
  updated_at           timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

-- One row per endpoint: the order in which endpoints get their turn. One that fails waits by itself.
CREATE TABLE license_server.webhook_lanes (
  tenant_id       text             NOT NULL,
  endpoint_id     text COLLATE "C" NOT NULL,
  due_at          timestamptz      NOT NULL DEFAULT 'infinity',
  paused_until    timestamptz      NOT NULL DEFAULT '-infinity',  -- infinity: the endpoint is not active
  claimed_until   timestamptz      NOT NULL DEFAULT '-infinity',
  failures        integer          NOT NULL DEFAULT 0,            -- turns in a row in which nothing arrived
  last_success_at timestamptz,
  last_failure_at timestamptz,
  PRIMARY KEY (tenant_id, endpoint_id),
  FOREIGN KEY (tenant_id, endpoint_id) REFERENCES license_server.webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_lanes_due ON license_server.webhook_lanes (due_at);

-- One row for each thing to be told to one endpoint. Ids begin with a time, so that their order is that of age.
CREATE TABLE license_server.webhook_deliveries (
  tenant_id       text             NOT NULL,
  id              text COLLATE "C" NOT NULL,
  endpoint_id     text COLLATE "C" NOT NULL,
  sequence        bigint,                                         -- the event; NULL: a test
  event_type      text             NOT NULL,
  state           text             NOT NULL DEFAULT 'pending'
                                   CHECK (state IN ('pending', 'delivered', 'failed', 'canceled')),
  attempts        integer          NOT NULL DEFAULT 0,
  series_attempts integer          NOT NULL DEFAULT 0,            -- since it was made or replayed
  series_since    timestamptz      NOT NULL DEFAULT now(),
  next_attempt_at timestamptz      NOT NULL DEFAULT now(),
  claimed_until   timestamptz      NOT NULL DEFAULT '-infinity',
  status_code     integer,                                        -- of the last answer
  error           text,
  created_at      timestamptz      NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  PRIMARY KEY (tenant_id, id)
);
-- An event goes to an endpoint once.
CREATE UNIQUE INDEX webhook_deliveries_of_event ON license_server.webhook_deliveries (tenant_id, endpoint_id, sequence)
 WHERE sequence IS NOT NULL;
CREATE INDEX webhook_deliveries_due ON license_server.webhook_deliveries (tenant_id, endpoint_id, next_attempt_at, id)
 WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_endpoint ON license_server.webhook_deliveries (tenant_id, endpoint_id, id);
CREATE INDEX webhook_deliveries_by_state    ON license_server.webhook_deliveries (tenant_id, endpoint_id, state, id);
CREATE INDEX webhook_deliveries_by_type     ON license_server.webhook_deliveries (tenant_id, endpoint_id, event_type, id);
CREATE INDEX webhook_deliveries_finished    ON license_server.webhook_deliveries (tenant_id, endpoint_id, state, finished_at)
 WHERE finished_at IS NOT NULL;

-- Each attempt. Of the answer only the status is kept.
CREATE TABLE license_server.webhook_attempts (
  tenant_id   text             NOT NULL,
  delivery_id text COLLATE "C" NOT NULL,
  attempt     integer          NOT NULL,
  endpoint_id text COLLATE "C" NOT NULL,
  at          timestamptz      NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer,                                            -- NULL: it was cut off, or is under way
  status_code integer,
  error       text,
  PRIMARY KEY (tenant_id, delivery_id, attempt),
  FOREIGN KEY (tenant_id, delivery_id) REFERENCES license_server.webhook_deliveries ON DELETE CASCADE
);
CREATE INDEX webhook_attempts_by_time ON license_server.webhook_attempts (tenant_id, endpoint_id, at);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['webhook_endpoints', 'webhook_lanes', 'webhook_deliveries', 'webhook_attempts'] LOOP
    EXECUTE format('ALTER TABLE license_server.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON license_server.%I TO license_server_tenant '
      'USING      (tenant_id = current_setting(''license_server.tenant_id'', true)) '
      'WITH CHECK (tenant_id = current_setting(''license_server.tenant_id'', true))', name);
  END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON license_server.webhook_endpoints, license_server.webhook_deliveries
   TO license_server_tenant;
GRANT SELECT, INSERT, UPDATE         ON license_server.webhook_lanes, license_server.webhook_attempts
   TO license_server_tenant;

-- The linker puts deliveries in line and makes their endpoints due. It sees no address and no secret.
GRANT SELECT (tenant_id, id, event_types, is_active) ON license_server.webhook_endpoints  TO license_server_linker;
GRANT INSERT                                         ON license_server.webhook_deliveries TO license_server_linker;
GRANT SELECT, UPDATE (due_at)                        ON license_server.webhook_lanes      TO license_server_linker;
CREATE POLICY linker_reads   ON license_server.webhook_endpoints  FOR SELECT TO license_server_linker USING (true);
CREATE POLICY linker_adds    ON license_server.webhook_deliveries FOR INSERT TO license_server_linker WITH CHECK (true);
CREATE POLICY linker_finds   ON license_server.webhook_lanes      FOR SELECT TO license_server_linker USING (true);
CREATE POLICY linker_updates ON license_server.webhook_lanes      FOR UPDATE TO license_server_linker USING (true);

-- The courier claims turns, and finds the tenants that have old deliveries. The deliveries themselves are the tenant's.
GRANT SELECT, UPDATE (claimed_until) ON license_server.webhook_lanes      TO license_server_courier;
GRANT SELECT (tenant_id)             ON license_server.webhook_deliveries TO license_server_courier;
CREATE POLICY courier_finds  ON license_server.webhook_lanes      FOR SELECT TO license_server_courier USING (true);
CREATE POLICY courier_claims ON license_server.webhook_lanes      FOR UPDATE TO license_server_courier USING (true);
CREATE POLICY courier_looks  ON license_server.webhook_deliveries FOR SELECT TO license_server_courier USING (true);
