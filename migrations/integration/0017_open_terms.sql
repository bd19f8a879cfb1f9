-- The part of a line that failed before anything was issued for it, while other parts were issued, is still sold: under the
-- mapping as it stands when the purchase is taken up again.
ALTER TABLE stripe_integration.lines ADD COLUMN is_open boolean NOT NULL DEFAULT false;
