-- A renewal is in doubt after a crash like any other change.
ALTER TABLE stripe_integration.units DROP CONSTRAINT units_unsettled_check;
ALTER TABLE stripe_integration.units
  ADD CONSTRAINT units_unsettled_check CHECK (unsettled IN ('suspend', 'reinstate', 'revoke', 'renew'));
