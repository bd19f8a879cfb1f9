-- Apart from the connections, so that nobody waits for the lock of one table while the other is locked.
--
-- Not validated, as there.

-- The only environment that the signature of an event vouches for. NULL: every one with its livemode.
ALTER TABLE stripe_integration.inbox
  ADD COLUMN environment text,
  ADD CONSTRAINT inbox_environment_check
      CHECK (environment IS NULL OR (environment IN ('test', 'sandbox') AND NOT livemode)) NOT VALID;

GRANT INSERT (environment), SELECT (environment) ON stripe_integration.inbox TO stripe_integration_receiver;
