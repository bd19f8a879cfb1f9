-- What a process was at when it ended without a word is counted, so that an event or a purchase that ends processes is set
-- aside and everybody else goes on.

ALTER TABLE stripe_integration.inbox
  ADD COLUMN begun    smallint    NOT NULL DEFAULT 0,  -- how often it was begun on by itself and not ended
  ADD COLUMN begun_at timestamptz;

ALTER TABLE stripe_integration.purchases
  ADD COLUMN abandoned smallint NOT NULL DEFAULT 0;    -- how often its lease was left behind, since a run ended last
