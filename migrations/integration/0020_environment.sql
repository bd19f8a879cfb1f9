-- Sandboxes beside test mode: both say "livemode": false, and only the signature and the credentials tell them apart.
--
-- Not validated: in the rows there are the columns are NULL, and a scan would lock the tables for its time.

-- What the account is installed in, or was last. NULL: live or test mode, as livemode says.
ALTER TABLE stripe_integration.connections
  ADD COLUMN environment text,
  ADD CONSTRAINT connections_environment_check
      CHECK (environment IS NULL
             OR (environment IN ('live', 'test', 'sandbox') AND (environment = 'live') = livemode)) NOT VALID;

GRANT SELECT (environment) ON stripe_integration.connections TO stripe_integration_operator;
