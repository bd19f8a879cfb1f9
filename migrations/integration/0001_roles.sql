-- The database roles of the Stripe integration. Roles belong to the whole cluster while this file runs once a database,
-- so an existing role is no error. None of them can log in: the service's own user takes one on for a transaction.
--
--   stripe_integration_tenant    a request or job of one tenant; row-level security shows it that tenant's rows only
--   stripe_integration_receiver  the webhook receiver: inserts into the inbox of any tenant, and opens again what comes again
--   stripe_integration_worker    finds and claims work across tenants: sees queue columns only
--   stripe_integration_operator  the operator's own pages and sweeps: reads queue states and connections across tenants

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'stripe_integration_tenant', 'stripe_integration_receiver', 'stripe_integration_worker', 'stripe_integration_operator'
  ] LOOP
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

CREATE SCHEMA stripe_integration;

GRANT USAGE ON SCHEMA stripe_integration
   TO stripe_integration_tenant, stripe_integration_receiver, stripe_integration_worker, stripe_integration_operator;
