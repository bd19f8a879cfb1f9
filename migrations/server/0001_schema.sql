-- The schema of the license server and the one database role its requests run under. Roles belong to the whole cluster
-- while this file runs once a database, so an existing role is no error. The role cannot log in: the server's own user
-- takes it on for a transaction, and row-level security (0003) then shows it one tenant's rows only.

DO $$
BEGIN
  BEGIN
    CREATE ROLE license_server_tenant NOLOGIN;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
  END;
  IF NOT pg_has_role(current_user, 'license_server_tenant', 'MEMBER') THEN
    GRANT license_server_tenant TO CURRENT_USER;
  END IF;
END
$$;

CREATE SCHEMA license_server;

GRANT USAGE ON SCHEMA license_server TO license_server_tenant;
