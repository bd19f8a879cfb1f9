-- (account_id, livemode) is the tenant and leads every primary key: one tenant's rows sit together, and the schema can
-- be distributed by account_id unchanged.

-- One row per installation of the app.
CREATE TABLE stripe_integration.connections (
  account_id              text        NOT NULL COLLATE "C",
  livemode                boolean     NOT NULL,
  status                  text        NOT NULL CHECK (status IN ('pending', 'connected', 'disconnected')),
  access_token            bytea,      -- sealed
  refresh_token           bytea,      -- sealed
  access_token_expires_at timestamptz,
  token_generation        bigint      NOT NULL DEFAULT 0,  -- grows with each new pair of tokens
  refresh_token_issued_at timestamptz,
  installed_at            timestamptz,
  uninstalled_at          timestamptz,
  licensekit_base_url     text,
  licensekit_token        bytea,      -- sealed
  parked_reason           text,       -- why this tenant's queue stands still; NULL while it moves
  parked_detail           text,
  parked_at               timestamptz,
  created_at              timestamptz NOT NULL DEFAULT now(),
  updated_at              timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode),
  CHECK (status <> 'connected' OR refresh_token IS NOT NULL),
  CHECK (status <> 'disconnected' OR (access_token IS NULL AND refresh_token IS NULL))
);

CREATE INDEX connections_refresh_token_age ON stripe_integration.connections (refresh_token_issued_at)
 WHERE status = 'connected';

-- Every event that was answered with 200, until retention removes it.
CREATE TABLE stripe_integration.inbox (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  event_id      text        NOT NULL COLLATE "C",
  type          text        NOT NULL,
  created       timestamptz NOT NULL,               -- Stripe's clock, whole seconds
  received_at   timestamptz NOT NULL DEFAULT now(),
  state         text        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'waiting', 'done', 'ignored', 'failed')),
  attempts      integer     NOT NULL DEFAULT 0,
  handled_at    timestamptz,
  outcome       text,
  body          text        COMPRESSION lz4 NOT NULL,
  PRIMARY KEY (account_id, livemode, event_id)
);

-- Only open rows: the size of this index follows the backlog, not the history.
CREATE INDEX inbox_open ON stripe_integration.inbox (account_id, livemode, received_at)
 WHERE state = 'new';
CREATE INDEX inbox_waiting ON stripe_integration.inbox (account_id, livemode)
 WHERE state = 'waiting';
CREATE INDEX inbox_by_time ON stripe_integration.inbox (account_id, livemode, created DESC, event_id DESC);

-- One row per tenant with purchases to look at: the order in which tenants get their turn. A tenant that was served goes
-- to the end of the line, so a flood of one delays nobody else.
CREATE TABLE stripe_integration.turns (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  due_at        timestamptz NOT NULL,
  claimed_until timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (account_id, livemode)
);

CREATE INDEX turns_due ON stripe_integration.turns (due_at);

-- One purchase: everything that Stripe's ids of one sale have in common. What the admin routes call a fulfillment.
CREATE TABLE stripe_integration.purchases (
  account_id      text        NOT NULL COLLATE "C",
  livemode        boolean     NOT NULL,
  purchase_id     text        NOT NULL COLLATE "C",
  kind            text        NOT NULL DEFAULT 'unknown',
  stripe_id       text        NOT NULL COLLATE "C",
  customer_id     text        COLLATE "C",
  status          text        NOT NULL DEFAULT 'pending',
  reason          text,
  attention_at    timestamptz,                       -- when it is to be looked at; NULL: nothing is known to change
  attention_seq   bigint      NOT NULL DEFAULT 1,    -- grows with every mark, so that a mark during a run is not lost
  attempts        integer     NOT NULL DEFAULT 0,    -- failures in a row
  lease_until     timestamptz NOT NULL DEFAULT '-infinity',
  fence           bigint      NOT NULL DEFAULT 0,    -- grows with every lease; a step of an older one is refused
  merged_into     text        COLLATE "C",           -- found to be the same purchase as another
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, purchase_id)
);

CREATE INDEX purchases_attention ON stripe_integration.purchases (account_id, livemode, attention_at)
 WHERE attention_at IS NOT NULL AND merged_into IS NULL;
CREATE INDEX purchases_by_time ON stripe_integration.purchases (account_id, livemode, created_at DESC, purchase_id DESC)
 WHERE merged_into IS NULL;
CREATE INDEX purchases_by_status ON stripe_integration.purchases
       (account_id, livemode, status, created_at DESC, purchase_id DESC)
 WHERE merged_into IS NULL;
CREATE INDEX purchases_by_customer ON stripe_integration.purchases
       (account_id, livemode, customer_id, created_at DESC, purchase_id DESC)
 WHERE merged_into IS NULL AND customer_id IS NOT NULL;

-- Every Stripe id of a purchase leads to that purchase: the key that keeps two events of one sale from making two.
CREATE TABLE stripe_integration.aliases (
  account_id  text    NOT NULL COLLATE "C",
  livemode    boolean NOT NULL,
  stripe_id   text    NOT NULL COLLATE "C",
  purchase_id text    NOT NULL COLLATE "C",
  PRIMARY KEY (account_id, livemode, stripe_id)
);

CREATE INDEX aliases_by_purchase ON stripe_integration.aliases (account_id, livemode, purchase_id);

-- What is known of each Stripe object: the newest snapshot, and the answers to questions that Stripe was asked.
CREATE TABLE stripe_integration.facts (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  fact_key    text        NOT NULL COLLATE "C",
  subject     text        NOT NULL COLLATE "C",  -- the Stripe id it belongs to
  as_of       timestamptz NOT NULL,              -- Stripe's clock: the event's creation, or the answer's Date header
  source      text        NOT NULL CHECK (source IN ('event', 'fetch')),
  contested   boolean     NOT NULL DEFAULT false,
  snapshot    jsonb       NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, fact_key)
);

CREATE INDEX facts_by_subject ON stripe_integration.facts (account_id, livemode, subject);

-- The vendor's choice of what a Stripe product or price gives.
CREATE TABLE stripe_integration.mappings (
  account_id            text        NOT NULL COLLATE "C",
  livemode              boolean     NOT NULL,
  mapping_id            text        NOT NULL COLLATE "C",
  stripe_product_id     text        COLLATE "C",
  stripe_price_id       text        COLLATE "C",
  licensekit_product_id text        NOT NULL COLLATE "C",
  licensekit_policy_id  text        NOT NULL COLLATE "C",
  terms                 jsonb       NOT NULL,
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, mapping_id),
  CHECK (num_nonnulls(stripe_product_id, stripe_price_id) = 1)
);

CREATE UNIQUE INDEX mappings_of_product ON stripe_integration.mappings
       (account_id, livemode, stripe_product_id, licensekit_product_id)
 WHERE stripe_product_id IS NOT NULL;
CREATE UNIQUE INDEX mappings_of_price ON stripe_integration.mappings
       (account_id, livemode, stripe_price_id, licensekit_product_id)
 WHERE stripe_price_id IS NOT NULL;

-- Which Stripe products and prices a waiting purchase has no mapping for, so that a new mapping finds its purchases.
CREATE TABLE stripe_integration.unmapped (
  account_id  text    NOT NULL COLLATE "C",
  livemode    boolean NOT NULL,
  stripe_id   text    NOT NULL COLLATE "C",
  purchase_id text    NOT NULL COLLATE "C",
  PRIMARY KEY (account_id, livemode, stripe_id, purchase_id)
);

CREATE INDEX unmapped_by_purchase ON stripe_integration.unmapped (account_id, livemode, purchase_id);

-- A line of a purchase under one LicenseKit product, with the terms it was sold under: a later change of the mapping does
-- not reach back by itself.
CREATE TABLE stripe_integration.lines (
  account_id            text        NOT NULL COLLATE "C",
  livemode              boolean     NOT NULL,
  purchase_id           text        NOT NULL COLLATE "C",
  line_key              text        NOT NULL COLLATE "C",
  licensekit_product_id text        NOT NULL COLLATE "C",
  mapping_id            text        NOT NULL COLLATE "C",
  stripe_price_id       text        COLLATE "C",       -- another price of the line is another sale: new terms
  terms                 jsonb       NOT NULL,
  updated_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, purchase_id, line_key, licensekit_product_id)
);

-- One license unit sold: (purchase, line, ordinal), for each LicenseKit product of the line.
CREATE TABLE stripe_integration.units (
  account_id            text        NOT NULL COLLATE "C",
  livemode              boolean     NOT NULL,
  purchase_id           text        NOT NULL COLLATE "C",
  line_key              text        NOT NULL COLLATE "C",
  licensekit_product_id text        NOT NULL COLLATE "C",
  ordinal               integer     NOT NULL CHECK (ordinal >= 1),
  generation            integer     NOT NULL DEFAULT 1,   -- grows when a revoked license is replaced
  order_id              text,
  license_id            text        COLLATE "C",          -- NULL while it is being issued
  license_status        text        CHECK (license_status IN ('active', 'suspended', 'revoked')),
  expires_at            timestamptz,
  features              jsonb,                            -- as last assigned
  key_hint              text,
  issued_at             timestamptz,
  updated_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, purchase_id, line_key, licensekit_product_id, ordinal)
);

CREATE UNIQUE INDEX units_by_license ON stripe_integration.units (account_id, livemode, license_id)
 WHERE license_id IS NOT NULL;

-- License keys, sealed. Apart from the units, so that nothing that lists licenses comes near them.
CREATE TABLE stripe_integration.license_keys (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  license_id  text        NOT NULL COLLATE "C",
  sealed_key  bytea       NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, license_id)
);

-- What was made at LicenseKit besides licenses: LicenseKit has no look-up by an outside id, so the map is kept here.
CREATE TABLE stripe_integration.licensekit_records (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  kind          text        NOT NULL CHECK (kind IN ('customer', 'subscription', 'order')),
  external_id   text        NOT NULL COLLATE "C",
  purchase_id   text        COLLATE "C",           -- NULL: shared by purchases
  licensekit_id text        NOT NULL COLLATE "C",
  applied       jsonb       NOT NULL,              -- what was last written to it
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, kind, external_id)
);

CREATE INDEX licensekit_records_by_purchase ON stripe_integration.licensekit_records (account_id, livemode, purchase_id)
 WHERE purchase_id IS NOT NULL;

-- Ids written back to Stripe's objects, so that each is written once.
CREATE TABLE stripe_integration.write_backs (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  purchase_id text        NOT NULL COLLATE "C",
  stripe_id   text        NOT NULL COLLATE "C",
  applied     jsonb       NOT NULL,
  updated_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, livemode, purchase_id, stripe_id)
);

-- The story of a purchase: event seen, decision taken and why, each step with its answer.
CREATE TABLE stripe_integration.timeline (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  purchase_id text        NOT NULL COLLATE "C",
  entry_id    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind        text        NOT NULL CHECK (kind IN ('event', 'decision', 'step', 'note')),
  title       text        NOT NULL,
  state       text        CHECK (state IN ('started', 'succeeded', 'failed')),
  detail      text,
  finished_at timestamptz,
  PRIMARY KEY (account_id, livemode, purchase_id, entry_id)
);

-- Who did what by hand.
CREATE TABLE stripe_integration.audit (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  entry_id    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  at          timestamptz NOT NULL DEFAULT now(),
  actor       text        NOT NULL,
  action      text        NOT NULL,
  target      text        NOT NULL,
  request_id  text,
  detail      text,
  PRIMARY KEY (account_id, livemode, entry_id)
);

-- Credentials of the vendor's own for the admin routes; only the hash is kept.
CREATE TABLE stripe_integration.admin_tokens (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  token_hash  text        NOT NULL COLLATE "C",
  name        text        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz,
  PRIMARY KEY (account_id, livemode, token_hash)
);
