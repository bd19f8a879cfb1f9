-- What a person looks for among events: the few that could not be read. Nothing is paid for those that went well.
CREATE INDEX inbox_failed ON stripe_integration.inbox (account_id, livemode, created DESC, event_id DESC)
 WHERE state = 'failed';
