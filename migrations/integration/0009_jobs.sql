-- Long work, such as reading a whole Stripe account, as rows that any replica can go on with: a job does one bounded piece
-- at a time and records how far it has come.
CREATE TABLE stripe_integration.jobs (
  account_id   text        NOT NULL COLLATE "C",
  livemode     boolean     NOT NULL,
  job_id       text        NOT NULL COLLATE "C",
  kind         text        NOT NULL,
  subject      text        NOT NULL DEFAULT '' COLLATE "C",  -- what it is about, where several of a kind may run at once
  parameters   json        NOT NULL,
  requested_by text        NOT NULL,
  state        text        NOT NULL DEFAULT 'queued'
                           CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  reason       text,                                          -- why it waits, or why it failed
  cursor       json,                                          -- how far it has come; the work's own
  progress     json        NOT NULL,                          -- counts by name, in the order in which they are shown
  attempts     integer     NOT NULL DEFAULT 0,                -- failures in a row
  due_at       timestamptz NOT NULL DEFAULT now(),
  lease_until  timestamptz NOT NULL DEFAULT '-infinity',
  fence        bigint      NOT NULL DEFAULT 0,                -- grows with every lease; what an older one records is refused
  created_at   timestamptz NOT NULL DEFAULT now(),
  started_at   timestamptz,
  updated_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz,
  PRIMARY KEY (account_id, livemode, job_id),
  CHECK ((finished_at IS NULL) = (state IN ('queued', 'running')))
);

-- One at a time of a kind and subject.
CREATE UNIQUE INDEX jobs_open ON stripe_integration.jobs (account_id, livemode, kind, subject)
 WHERE state IN ('queued', 'running');
CREATE INDEX jobs_due ON stripe_integration.jobs (account_id, livemode, due_at)
 WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_time ON stripe_integration.jobs (account_id, livemode, created_at DESC, job_id DESC);
CREATE INDEX jobs_finished ON stripe_integration.jobs (account_id, livemode, finished_at)
 WHERE finished_at IS NOT NULL;

-- The order in which tenants get their turn of this work, as "turns" is for purchases. Apart from those, so that long
-- work never stands before a sale.
CREATE TABLE stripe_integration.job_turns (
  account_id    text        NOT NULL COLLATE "C",
  livemode      boolean     NOT NULL,
  due_at        timestamptz NOT NULL,
  claimed_until timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (account_id, livemode)
);

CREATE INDEX job_turns_due ON stripe_integration.job_turns (due_at);

-- What a job found out about each object it looked at.
CREATE TABLE stripe_integration.job_reports (
  account_id text    NOT NULL COLLATE "C",
  livemode   boolean NOT NULL,
  job_id     text    NOT NULL COLLATE "C",
  stripe_id  text    NOT NULL COLLATE "C",   -- once for each object: a piece that runs again after a crash adds nothing
  entry_id   bigint  NOT NULL GENERATED ALWAYS AS IDENTITY,
  outcome    text    NOT NULL,
  detail     json    NOT NULL,
  PRIMARY KEY (account_id, livemode, job_id, stripe_id)
);

CREATE INDEX job_reports_in_order ON stripe_integration.job_reports (account_id, livemode, job_id, entry_id);

-- How far Stripe's list of events has been read for each tenant, and when it is read again.
CREATE TABLE stripe_integration.sweeps (
  account_id  text        NOT NULL COLLATE "C",
  livemode    boolean     NOT NULL,
  due_at      timestamptz NOT NULL,          -- of the next sweep; 'infinity' while the tenant cannot be served
  read_up_to  timestamptz NOT NULL,          -- Stripe's clock: every event made before is known
  swept_at    timestamptz,                   -- when the last sweep ended
  found       bigint      NOT NULL DEFAULT 0, -- events that no webhook had brought, over all sweeps
  found_at    timestamptz,                   -- when a sweep last found any
  problem     text,                          -- why sweeps do not work; the tenant's live work goes on
  gap_from    timestamptz,                   -- events of this time on were past Stripe's 30 days: a backfill is needed
  gap_to      timestamptz,
  PRIMARY KEY (account_id, livemode)
);

CREATE INDEX sweeps_due ON stripe_integration.sweeps (due_at);

ALTER TABLE stripe_integration.connections
  ADD COLUMN backfilled_at timestamptz;      -- when the newest backfill that was not a dry run ended; NULL: never

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['jobs', 'job_turns', 'job_reports', 'sweeps'] LOOP
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

-- The worker claims turns and finds whose sweep is due; the jobs themselves it opens for one tenant.
GRANT SELECT, UPDATE (claimed_until) ON stripe_integration.job_turns TO stripe_integration_worker;
CREATE POLICY worker_reads ON stripe_integration.job_turns FOR SELECT TO stripe_integration_worker USING (true);
CREATE POLICY worker_claims ON stripe_integration.job_turns FOR UPDATE TO stripe_integration_worker USING (true);

GRANT SELECT (account_id, livemode, due_at) ON stripe_integration.sweeps TO stripe_integration_worker;
CREATE POLICY worker ON stripe_integration.sweeps FOR SELECT TO stripe_integration_worker USING (true);

-- The operator's list of connections.
GRANT SELECT ON stripe_integration.sweeps TO stripe_integration_operator;
CREATE POLICY operator ON stripe_integration.sweeps FOR SELECT TO stripe_integration_operator USING (true);
GRANT SELECT (backfilled_at) ON stripe_integration.connections TO stripe_integration_operator;
