-- Key delivery: notices to the vendor's endpoints, and mail to the buyer.

-- Where a vendor wants to be told of what happens to licenses.
CREATE TABLE stripe_integration.notice_endpoints (
  account_id            text        NOT NULL COLLATE "C",
  livemode              boolean     NOT NULL,
  endpoint_id           text        NOT NULL COLLATE "C",
  url                   text        NOT NULL,
  description           text,
  event_types           text[]      NOT NULL DEFAULT '{}',   -- empty: all
  includes_key          boolean     NOT NULL DEFAULT false,  -- whether license.issued carries the license key
  is_active             boolean     NOT NULL DEFAULT true,   -- the vendor's own switch
  secret                bytea       NOT NULL,                -- sealed
  previous_secret       bytea,                               -- sealed; signs as well until the time below
  previous_secret_until timestamptz,
  failing_since         timestamptz,                         -- nothing has arrived since
  disabled_at           timestamptz,                         -- it failed for too long: what is due waits
  disabled_reason       text,
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, endpoint_id)
);

-- The number of the last notice about a license, so that receivers can put notices in order.
CREATE TABLE stripe_integration.notice_sequences (
  account_id    text    NOT NULL COLLATE "C",
  livemode      boolean NOT NULL,
  license_id    text    NOT NULL COLLATE "C",
  last_sequence bigint  NOT NULL,
  PRIMARY KEY (account_id, livemode, license_id)
);

-- What happened to a license, written in the transaction that records it. One row whatever the number of receivers.
CREATE TABLE stripe_integration.notices (
  account_id            text        NOT NULL COLLATE "C",
  livemode              boolean     NOT NULL,
  notice_id             text        NOT NULL COLLATE "C",
  type                  text        NOT NULL,
  license_id            text        NOT NULL COLLATE "C",
  sequence              bigint      NOT NULL,
  purchase_id           text        NOT NULL COLLATE "C",
  line_key              text        NOT NULL COLLATE "C",
  licensekit_product_id text        NOT NULL COLLATE "C",
  ordinal               integer     NOT NULL,
  status                text        NOT NULL,
  previous_status       text,
  expires_at            timestamptz,
  previous_expires_at   timestamptz,
  reason                text,
  created_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, notice_id),
  UNIQUE (account_id, livemode, license_id, sequence)
);

-- One row for each thing to be delivered: a notice to one endpoint, or a mail.
CREATE TABLE stripe_integration.deliveries (
  account_id      text        NOT NULL COLLATE "C",
  livemode        boolean     NOT NULL,
  delivery_id     text        NOT NULL COLLATE "C",
  lane_id         text        NOT NULL COLLATE "C",          -- the endpoint, or 'email'
  type            text        NOT NULL,
  notice_id       text        COLLATE "C",                   -- NULL: a test, or a mail
  purchase_id     text        COLLATE "C",                   -- NULL: a test
  destination     text,                                      -- scheme and host of the endpoint
  state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'succeeded', 'failed', 'cancelled')),
  attempts        integer     NOT NULL DEFAULT 0,
  series_attempts integer     NOT NULL DEFAULT 0,            -- since it was made or replayed
  series_since    timestamptz NOT NULL DEFAULT now(),
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  claimed_until   timestamptz NOT NULL DEFAULT '-infinity',
  error           text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  PRIMARY KEY (account_id, livemode, delivery_id)
);

-- One notice goes to one endpoint once, and the licenses of a purchase that are issued together go in one mail.
CREATE UNIQUE INDEX deliveries_of_notice ON stripe_integration.deliveries (account_id, livemode, notice_id, lane_id)
 WHERE notice_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_open_mail ON stripe_integration.deliveries (account_id, livemode, purchase_id)
 WHERE lane_id = 'email' AND state = 'pending' AND attempts = 0;

CREATE INDEX deliveries_due ON stripe_integration.deliveries (account_id, livemode, lane_id, next_attempt_at)
 WHERE state = 'pending';
CREATE INDEX deliveries_by_time ON stripe_integration.deliveries (account_id, livemode, created_at DESC, delivery_id DESC);
CREATE INDEX deliveries_by_lane ON stripe_integration.deliveries
       (account_id, livemode, lane_id, created_at DESC, delivery_id DESC);
CREATE INDEX deliveries_by_purchase ON stripe_integration.deliveries
       (account_id, livemode, purchase_id, created_at DESC, delivery_id DESC)
 WHERE purchase_id IS NOT NULL;
CREATE INDEX deliveries_failed ON stripe_integration.deliveries (account_id, livemode, created_at DESC, delivery_id DESC)
 WHERE state = 'failed';
CREATE INDEX notices_by_time ON stripe_integration.notices (account_id, livemode, created_at);

-- Each attempt. Of the answer only the status is kept.
CREATE TABLE stripe_integration.delivery_attempts (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  delivery_id text        NOT NULL COLLATE "C",
  attempt     integer     NOT NULL,
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  duration_ms integer,                                       -- NULL: it was cut off, or is under way
  status      integer,                                       -- of HTTP or SMTP
  error       text,
  PRIMARY KEY (account_id, livemode, delivery_id, attempt)
);

-- One row per endpoint, and one per tenant's mail: the order in which they get their turn. One that fails waits by itself.
CREATE TABLE stripe_integration.delivery_lanes (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  lane_id       text        NOT NULL COLLATE "C",
  due_at        timestamptz NOT NULL,
  paused_until  timestamptz NOT NULL DEFAULT '-infinity',
  claimed_until timestamptz NOT NULL DEFAULT '-infinity',
  failures      integer     NOT NULL DEFAULT 0,              -- turns in a row in which nothing arrived
  PRIMARY KEY (account_id, livemode, lane_id)
);

CREATE INDEX delivery_lanes_due ON stripe_integration.delivery_lanes (due_at);

-- The vendor's mail to buyers.
CREATE TABLE stripe_integration.mail_settings (
  account_id text        NOT NULL COLLATE "C",
  livemode   boolean     NOT NULL,
  is_enabled boolean     NOT NULL,
  subject    text        NOT NULL,
  body       text        NOT NULL,
  from_name  text,
  reply_to   text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode)
);

-- Which mail carries the key of a license: one mail for each license.
CREATE TABLE stripe_integration.mailed_licenses (
  account_id  text    NOT NULL COLLATE "C",
  livemode    boolean NOT NULL,
  license_id  text    NOT NULL COLLATE "C",
  delivery_id text    NOT NULL COLLATE "C",
  PRIMARY KEY (account_id, livemode, license_id)
);

CREATE INDEX mailed_licenses_of_mail ON stripe_integration.mailed_licenses (account_id, livemode, delivery_id);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['notice_endpoints', 'notice_sequences', 'notices', 'deliveries', 'delivery_attempts',
                              'delivery_lanes', 'mail_settings', 'mailed_licenses'] LOOP
    EXECUTE format('ALTER TABLE stripe_integration.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE stripe_integration.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY tenant ON stripe_integration.%I FOR ALL TO stripe_integration_tenant
         USING (account_id = current_setting(''stripe_integration.account_id'', true)
                AND livemode = (current_setting(''stripe_integration.livemode'', true) = ''true''))
         WITH CHECK (account_id = current_setting(''stripe_integration.account_id'', true)
                AND livemode = (current_setting(''stripe_integration.livemode'', true) = ''true''))', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_integration.%I TO stripe_integration_tenant', name);
  END LOOP;
END
$$;

-- The worker claims turns, and finds the tenants that have old deliveries.
GRANT SELECT, UPDATE (claimed_until) ON stripe_integration.delivery_lanes TO stripe_integration_worker;
CREATE POLICY worker_reads ON stripe_integration.delivery_lanes FOR SELECT TO stripe_integration_worker USING (true);
CREATE POLICY worker_claims ON stripe_integration.delivery_lanes FOR UPDATE TO stripe_integration_worker USING (true);
GRANT SELECT (account_id, livemode) ON stripe_integration.deliveries TO stripe_integration_worker;
CREATE POLICY worker_finds ON stripe_integration.deliveries FOR SELECT TO stripe_integration_worker USING (true);

-- The operator sees how far deliveries are behind.
GRANT SELECT ON stripe_integration.delivery_lanes TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.delivery_lanes FOR SELECT TO stripe_integration_operator USING (true);

-- Who chose the address of a connection's LicenseKit: one that a vendor chose must not lead into this service's network.
-- Of those from before it is not known; they go on as they are.
ALTER TABLE stripe_integration.connections ADD COLUMN licensekit_by_operator boolean NOT NULL DEFAULT true;
