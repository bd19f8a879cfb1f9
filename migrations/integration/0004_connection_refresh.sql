-- The right to roll a connection's tokens, for a while. Stripe ends the old refresh token with each new one, so two at once
-- would strand the connection; and no transaction stays open while Stripe is asked. The lease ends by itself when its
-- holder died. New tokens are written when token_generation is still the one they were made from, lease or no lease: they
-- are then the only valid ones.
ALTER TABLE stripe_integration.connections
  ADD COLUMN refresh_lease_until timestamptz NOT NULL DEFAULT '-infinity',
  ADD COLUMN refresh_fence       bigint      NOT NULL DEFAULT 0,
  -- How Stripe is called for it; an app of type "platform" has no tokens.
  ADD COLUMN api_access          text        NOT NULL DEFAULT 'oauth' CHECK (api_access IN ('oauth', 'platform'));

ALTER TABLE stripe_integration.connections
  DROP CONSTRAINT connections_check,
  ADD CONSTRAINT connections_have_tokens
      CHECK (status <> 'connected' OR refresh_token IS NOT NULL OR api_access = 'platform');
