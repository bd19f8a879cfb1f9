-- Tamper evidence: each event of a tenant is linked by hash to the one before it. The linking is done after the commit of the
-- event, in the background, so that no request waits for another one's place in the chain.

-- Roles belong to the whole cluster while this file runs once a database, so an existing role is no error. None can log in.
--
--   license_server_linker   links events of any tenant, and puts their deliveries in line
--   license_server_courier  finds and claims the endpoints that are due, and tenants with old deliveries
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['license_server_linker', 'license_server_courier'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
    IF NOT pg_has_role(current_user, name, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO CURRENT_USER', name);
    END IF;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA license_server TO license_server_linker, license_server_courier;

-- Events that have no place in the chain yet: written by the transaction of the event itself, removed by the one that links
-- it. So nothing is ever passed over, in whatever order transactions commit and wherever the database is restored to, and
-- a tenant in which nothing happens costs nothing.
CREATE TABLE license_server.unlinked_events (
  tenant_id    text    NOT NULL,
  sequence     bigint  NOT NULL,
  is_announced boolean NOT NULL DEFAULT true,   -- false: from before there were webhooks; nobody is told
  PRIMARY KEY (tenant_id, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- The places in the chain, from 1. hash covers the event, the position and the hash before it; docs/operating.md says how.
CREATE TABLE license_server.event_links (
  tenant_id text   NOT NULL,
  position  bigint NOT NULL CHECK (position > 0),
  sequence  bigint NOT NULL,
  hash      bytea  NOT NULL,
  PRIMARY KEY (tenant_id, position),
  CONSTRAINT event_links_sequence UNIQUE (tenant_id, sequence)
);

-- Where each tenant's chain ends. The row is locked by whoever links.
CREATE TABLE license_server.event_chains (
  tenant_id text   NOT NULL PRIMARY KEY REFERENCES license_server.tenants,
  position  bigint NOT NULL DEFAULT 0,
  hash      bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['unlinked_events', 'event_links', 'event_chains'] LOOP
    EXECUTE format('ALTER TABLE license_server.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_rows ON license_server.%I TO license_server_tenant '
      'USING      (tenant_id = current_setting(''license_server.tenant_id'', true)) '
      'WITH CHECK (tenant_id = current_setting(''license_server.tenant_id'', true))', name);
    EXECUTE format(
      'CREATE POLICY linker ON license_server.%I TO license_server_linker USING (true) WITH CHECK (true)', name);
  END LOOP;
END
$$;

GRANT SELECT         ON license_server.event_links, license_server.event_chains TO license_server_tenant;
GRANT SELECT, INSERT ON license_server.unlinked_events                          TO license_server_tenant;

GRANT SELECT, DELETE         ON license_server.unlinked_events TO license_server_linker;
GRANT SELECT, INSERT         ON license_server.event_links     TO license_server_linker;
GRANT SELECT, INSERT, UPDATE ON license_server.event_chains    TO license_server_linker;

GRANT SELECT ON license_server.events TO license_server_linker;
CREATE POLICY linker_reads ON license_server.events FOR SELECT TO license_server_linker USING (true);

-- In the database, so that it holds for whoever writes an event: a replica of the version before this one, too.
CREATE FUNCTION license_server.note_unlinked_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO license_server.unlinked_events (tenant_id, sequence) VALUES (NEW.tenant_id, NEW.sequence);
  RETURN NULL;
END
$$;

CREATE TRIGGER note_unlinked AFTER INSERT ON license_server.events
   FOR EACH ROW EXECUTE FUNCTION license_server.note_unlinked_event();
