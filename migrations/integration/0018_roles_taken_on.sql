-- no transaction
-- Rows are shown to nobody who has not taken on a role: not to the service's own user either, whatever roles it is a member of.
-- Every later table needs the same three: ENABLE, FORCE, and the policies tenant and taken_on.
--
-- A table at a time, each with its commit, so that no request waits for more than one lock.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'stripe_integration' ORDER BY tablename LOOP
    IF NOT EXISTS (SELECT FROM pg_policies
                    WHERE schemaname = 'stripe_integration' AND tablename = name AND policyname = 'taken_on') THEN
      EXECUTE format(
        'CREATE POLICY taken_on ON stripe_integration.%I AS RESTRICTIVE USING (current_user <> session_user)', name);
      COMMIT;
    END IF;
  END LOOP;
END
$$;
