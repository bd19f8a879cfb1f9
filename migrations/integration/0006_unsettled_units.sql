-- A change of a license that was begun and not recorded as done: after a crash nobody knows whether it took effect, and
-- what is wanted may be another thing by then.
ALTER TABLE stripe_integration.units
  ADD COLUMN unsettled text CHECK (unsettled IN ('suspend', 'reinstate', 'revoke'));
