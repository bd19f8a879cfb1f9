-- A floating lease is a place in a license's pool, held by one device until a time. It lives in the device's row: a device
-- never holds two places, and whether it may run is one look at one row. An expired lease counts for nothing from the
-- moment that it names, whether or not it was cleared away. The lease token is stored as its SHA-256 only.
--
-- New columns are NULL or constant, and the checks are not asked of old rows: no table is rewritten or read.

ALTER TABLE license_server.devices
  ADD COLUMN holds_seat       boolean NOT NULL DEFAULT true,   -- an activation; false: registered by a checkout
  ADD COLUMN lease_id         text COLLATE "C",
  ADD COLUMN lease_token_hash bytea,
  ADD COLUMN lease_expires_at timestamptz,
  ADD CONSTRAINT devices_lease CHECK (
    num_nonnulls(lease_id, lease_token_hash, lease_expires_at) IN (0, 3)
  ) NOT VALID;

-- What gets signed must verify in every official client, so what could not is kept out of the tables, too, and not only
-- at the door: codes in plain ASCII, and counts up to 2^53 - 1.

ALTER TABLE license_server.features
  ADD CONSTRAINT features_code_signable CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$') NOT VALID;

ALTER TABLE license_server.license_features
  ADD CONSTRAINT license_features_countable CHECK (
    max_consumptions BETWEEN 0 AND 9007199254740991 AND total_consumptions BETWEEN 0 AND 9007199254740991
  ) NOT VALID;
