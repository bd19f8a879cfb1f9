-- tenant_id leads every primary key, so that the rows of one tenant sit together. Ids begin with a time, so the primary
-- key is also the order "newest first"; they compare as bytes. metadata is json and not jsonb: it is handed back as it
-- came, and never searched.

CREATE TABLE license_server.tenants (
  tenant_id  text        NOT NULL PRIMARY KEY,
  name       text        NOT NULL,
  host_name  text,                                   -- lower case, without port; NULL: reached by credential only
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenants_host_name ON license_server.tenants (host_name) WHERE host_name IS NOT NULL;

CREATE TABLE license_server.signing_keys (
  tenant_id          text        NOT NULL REFERENCES license_server.tenants,
  kid                text        NOT NULL,
  public_key         bytea       NOT NULL,
  sealed_private_key bytea       NOT NULL,
  status             text        NOT NULL CHECK (status IN ('active', 'retired')),
  created_at         timestamptz NOT NULL,
  retired_at         timestamptz,
  PRIMARY KEY (tenant_id, kid)
);
CREATE UNIQUE INDEX signing_keys_one_active ON license_server.signing_keys (tenant_id) WHERE status = 'active';

CREATE TABLE license_server.api_keys (
  tenant_id     text             NOT NULL REFERENCES license_server.tenants,
  id            text COLLATE "C" NOT NULL,
  name          text             NOT NULL,
  key_prefix    text             NOT NULL,
  token_hash    bytea            NOT NULL,            -- SHA-256; the token itself is stored nowhere
  scopes        text[]           NOT NULL,
  allowed_cidrs text[]           NOT NULL DEFAULT '{}',
  is_active     boolean          NOT NULL DEFAULT true,
  expires_at    timestamptz,
  last_used_at  timestamptz,
  created_at    timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX api_keys_token_hash ON license_server.api_keys (token_hash);

CREATE TABLE license_server.products (
  tenant_id  text             NOT NULL REFERENCES license_server.tenants,
  id         text COLLATE "C" NOT NULL,
  name       text             NOT NULL,
  code       text             NOT NULL,
  metadata   json             NOT NULL DEFAULT '{}',
  created_at timestamptz      NOT NULL,
  updated_at timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT products_code UNIQUE (tenant_id, code)
);

CREATE TABLE license_server.product_versions (
  tenant_id   text             NOT NULL,
  id          text COLLATE "C" NOT NULL,
  product_id  text COLLATE "C" NOT NULL,
  version     text             NOT NULL,
  released_at timestamptz      NOT NULL,
  metadata    json             NOT NULL DEFAULT '{}',
  created_at  timestamptz      NOT NULL,
  updated_at  timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT product_versions_version UNIQUE (tenant_id, product_id, version),
  FOREIGN KEY (tenant_id, product_id) REFERENCES license_server.products
);
CREATE INDEX product_versions_by_product ON license_server.product_versions (tenant_id, product_id, id);

CREATE TABLE license_server.policies (
  tenant_id                   text             NOT NULL,
  id                          text COLLATE "C" NOT NULL,
  product_id                  text COLLATE "C" NOT NULL,
  name                        text             NOT NULL,
  code                        text             NOT NULL,
  license_type                text             NOT NULL,
  max_activations             integer          NOT NULL DEFAULT 1,
  max_floating_users          integer,
  max_container_instances     integer,
  floating_timeout_minutes    integer          NOT NULL DEFAULT 60,
  grace_period_days           integer          NOT NULL DEFAULT 0,
  validation_interval_minutes integer          NOT NULL DEFAULT 1440,
  require_heartbeat           boolean          NOT NULL DEFAULT false,
  allow_offline_activation    boolean          NOT NULL DEFAULT false,
  offline_grace_days          integer          NOT NULL DEFAULT 0,
  allow_vm                    boolean          NOT NULL DEFAULT true,
  allow_container             boolean          NOT NULL DEFAULT true,
  max_transfers               integer          NOT NULL DEFAULT 0,
  revision                    bigint           NOT NULL DEFAULT 0,  -- part of every entitlement_version under this policy
  metadata                    json             NOT NULL DEFAULT '{}',
  created_at                  timestamptz      NOT NULL,
  updated_at                  timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT policies_code UNIQUE (tenant_id, product_id, code),
  FOREIGN KEY (tenant_id, product_id) REFERENCES license_server.products
);
CREATE INDEX policies_by_product ON license_server.policies (tenant_id, product_id, id);

CREATE TABLE license_server.features (
  tenant_id  text             NOT NULL,
  id         text COLLATE "C" NOT NULL,
  product_id text COLLATE "C" NOT NULL,
  code       text COLLATE "C" NOT NULL,
  name       text             NOT NULL,
  metadata   json             NOT NULL DEFAULT '{}',
  created_at timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT features_code UNIQUE (tenant_id, product_id, code),
  FOREIGN KEY (tenant_id, product_id) REFERENCES license_server.products
);
CREATE INDEX features_by_product ON license_server.features (tenant_id, product_id, id);

CREATE TABLE license_server.customers (
  tenant_id  text             NOT NULL REFERENCES license_server.tenants,
  id         text COLLATE "C" NOT NULL,
  name       text             NOT NULL,
  code       text             NOT NULL,
  email      text,
  metadata   json             NOT NULL DEFAULT '{}',
  created_at timestamptz      NOT NULL,
  updated_at timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT customers_code UNIQUE (tenant_id, code)
);

CREATE TABLE license_server.subscriptions (
  tenant_id            text             NOT NULL,
  id                   text COLLATE "C" NOT NULL,
  product_id           text COLLATE "C" NOT NULL,
  customer_id          text COLLATE "C",
  external_system      text             NOT NULL,
  external_id          text             NOT NULL,
  status               text             NOT NULL,
  current_period_start timestamptz      NOT NULL,
  current_period_end   timestamptz      NOT NULL,
  cancel_at_period_end boolean          NOT NULL DEFAULT false,
  canceled_at          timestamptz,
  metadata             json             NOT NULL DEFAULT '{}',
  created_at           timestamptz      NOT NULL,
  updated_at           timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT subscriptions_external_id UNIQUE (tenant_id, product_id, external_system, external_id),
  FOREIGN KEY (tenant_id, product_id) REFERENCES license_server.products,
  FOREIGN KEY (tenant_id, customer_id) REFERENCES license_server.customers
);
CREATE INDEX subscriptions_by_product  ON license_server.subscriptions (tenant_id, product_id, id);
CREATE INDEX subscriptions_by_customer ON license_server.subscriptions (tenant_id, customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE license_server.orders (
  tenant_id       text             NOT NULL,
  id              text COLLATE "C" NOT NULL,
  product_id      text COLLATE "C" NOT NULL,
  customer_id     text COLLATE "C",
  subscription_id text COLLATE "C",
  external_system text             NOT NULL,
  external_id     text             NOT NULL,
  status          text             NOT NULL,
  period_start    timestamptz,
  period_end      timestamptz,
  metadata        json             NOT NULL DEFAULT '{}',
  created_at      timestamptz      NOT NULL,
  updated_at      timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT orders_external_id UNIQUE (tenant_id, product_id, external_system, external_id),
  FOREIGN KEY (tenant_id, product_id)      REFERENCES license_server.products,
  FOREIGN KEY (tenant_id, customer_id)     REFERENCES license_server.customers,
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES license_server.subscriptions
);
CREATE INDEX orders_by_product      ON license_server.orders (tenant_id, product_id, id);
CREATE INDEX orders_by_customer     ON license_server.orders (tenant_id, customer_id)     WHERE customer_id IS NOT NULL;
CREATE INDEX orders_by_subscription ON license_server.orders (tenant_id, subscription_id) WHERE subscription_id IS NOT NULL;

-- state is what was decided; what a reader sees (active, grace_period, expired) follows from it, expires_at, ends_at and
-- the time, so that no job has to run for a license to expire.
CREATE TABLE license_server.licenses (
  tenant_id              text             NOT NULL,
  id                     text COLLATE "C" NOT NULL,
  product_id             text COLLATE "C" NOT NULL,
  policy_id              text COLLATE "C" NOT NULL,
  customer_id            text COLLATE "C",
  order_id               text COLLATE "C",
  subscription_id        text COLLATE "C",
  state                  text             NOT NULL CHECK (state IN ('active', 'suspended', 'revoked')),
  key_hash               bytea            NOT NULL,   -- SHA-256; the key itself is stored nowhere
  key_prefix             text             NOT NULL,
  key_last4              text             NOT NULL,
  customer_email         text,
  customer_name          text,
  times_activated        integer          NOT NULL DEFAULT 0,
  times_transferred      integer          NOT NULL DEFAULT 0,
  entitlement_version    bigint           NOT NULL DEFAULT 1,
  starts_at              timestamptz,
  expires_at             timestamptz,
  ends_at                timestamptz,                 -- expires_at and the policy's grace
  maintenance_expires_at timestamptz,
  metadata               json             NOT NULL DEFAULT '{}',
  created_at             timestamptz      NOT NULL,
  updated_at             timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, product_id)      REFERENCES license_server.products,
  FOREIGN KEY (tenant_id, policy_id)       REFERENCES license_server.policies,
  FOREIGN KEY (tenant_id, customer_id)     REFERENCES license_server.customers,
  FOREIGN KEY (tenant_id, order_id)        REFERENCES license_server.orders,
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES license_server.subscriptions
);
CREATE UNIQUE INDEX licenses_key_hash ON license_server.licenses (key_hash);
CREATE INDEX licenses_by_product      ON license_server.licenses (tenant_id, product_id, id);
CREATE INDEX licenses_by_policy       ON license_server.licenses (tenant_id, policy_id, id);
CREATE INDEX licenses_by_customer     ON license_server.licenses (tenant_id, customer_id, id)     WHERE customer_id IS NOT NULL;
CREATE INDEX licenses_by_order        ON license_server.licenses (tenant_id, order_id, id)        WHERE order_id IS NOT NULL;
CREATE INDEX licenses_by_subscription ON license_server.licenses (tenant_id, subscription_id, id) WHERE subscription_id IS NOT NULL;
CREATE INDEX licenses_by_expiry       ON license_server.licenses (tenant_id, state, expires_at);
CREATE INDEX licenses_by_end          ON license_server.licenses (tenant_id, state, ends_at);
CREATE INDEX licenses_expiring        ON license_server.licenses (tenant_id, expires_at)          WHERE expires_at IS NOT NULL;

CREATE TABLE license_server.license_features (
  tenant_id          text             NOT NULL,
  license_id         text COLLATE "C" NOT NULL,
  feature_id         text COLLATE "C" NOT NULL,
  enabled            boolean          NOT NULL,
  max_consumptions   bigint,
  total_consumptions bigint           NOT NULL DEFAULT 0,
  expires_at         timestamptz,
  metadata           json             NOT NULL DEFAULT '{}',
  PRIMARY KEY (tenant_id, license_id, feature_id),
  FOREIGN KEY (tenant_id, license_id) REFERENCES license_server.licenses,
  FOREIGN KEY (tenant_id, feature_id) REFERENCES license_server.features
);
CREATE INDEX license_features_by_feature ON license_server.license_features (tenant_id, feature_id);

-- What was consumed, one row per event id of the application: the event counts once however often it is sent.
CREATE TABLE license_server.usage_events (
  tenant_id  text             NOT NULL,
  license_id text COLLATE "C" NOT NULL,
  event_id   text             NOT NULL,
  feature_id text COLLATE "C" NOT NULL,
  amount     bigint           NOT NULL,
  created_at timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, license_id, event_id),
  FOREIGN KEY (tenant_id, license_id) REFERENCES license_server.licenses
);

CREATE TABLE license_server.devices (
  tenant_id         text             NOT NULL,
  license_id        text COLLATE "C" NOT NULL,
  id                text COLLATE "C" NOT NULL,
  binding_kind      text             NOT NULL,
  binding_key       text             NOT NULL,
  fingerprint       text,
  hostname          text,
  os                text,
  ip_address        text,
  is_vm             boolean          NOT NULL,
  is_container      boolean          NOT NULL,
  container_id      text,
  cluster_id        text,
  namespace         text,
  pod_name          text,
  status            text             NOT NULL,
  first_seen_at     timestamptz      NOT NULL,
  last_seen_at      timestamptz      NOT NULL,
  last_validated_at timestamptz,
  metadata          json             NOT NULL DEFAULT '{}',
  created_at        timestamptz      NOT NULL,
  updated_at        timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, license_id, id),
  CONSTRAINT devices_binding UNIQUE (tenant_id, license_id, binding_key),
  FOREIGN KEY (tenant_id, license_id) REFERENCES license_server.licenses
);
CREATE INDEX devices_active ON license_server.devices (tenant_id, license_id, binding_kind) WHERE status = 'active';

-- Answers kept to be given again for the same key. The answer of createLicense holds a license key and is sealed.
CREATE TABLE license_server.idempotency_records (
  tenant_id    text             NOT NULL,
  operation    text COLLATE "C" NOT NULL,
  subject      text COLLATE "C" NOT NULL,             -- the license concerned; empty for createLicense
  key          text             NOT NULL,
  request_hash bytea            NOT NULL,
  answer       bytea            NOT NULL,
  created_at   timestamptz      NOT NULL,
  expires_at   timestamptz      NOT NULL,
  PRIMARY KEY (tenant_id, operation, subject, key)
);
CREATE INDEX idempotency_records_by_expiry ON license_server.idempotency_records (tenant_id, expires_at);

-- The audit trail. The tenant role may append and read, and neither change nor delete.
CREATE TABLE license_server.events (
  tenant_id     text        NOT NULL REFERENCES license_server.tenants,
  sequence      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  event_type    text        NOT NULL,
  actor_type    text        NOT NULL,
  actor_id      text        NOT NULL,
  resource_type text        NOT NULL,
  resource_id   text,
  metadata      json        NOT NULL DEFAULT '{}',
  ip_address    text,
  created_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX events_by_type          ON license_server.events (tenant_id, event_type, sequence);
CREATE INDEX events_by_resource      ON license_server.events (tenant_id, resource_id, sequence);
CREATE INDEX events_by_resource_type ON license_server.events (tenant_id, resource_type, sequence);
CREATE INDEX events_by_actor_type    ON license_server.events (tenant_id, actor_type, sequence);
