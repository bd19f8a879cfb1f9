import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { approval, connection } from '../src/words/connections';
import { ago, day, moment, until } from '../src/words/dates';
import { reason } from '../src/words/disputes';
import { emptiness } from '../src/words/fulfillments';
import { byHand, devices, expiry, status } from '../src/words/licenses';
import { money } from '../src/words/money';
import { steps } from '../src/words/onboarding';
import { amount, level, twelfths } from '../src/words/usage';
import { license, settings, view } from './support/samples';

const now = new Date('2026-06-15T12:00:00Z');

describe('The connection', () => {
  const connected = settings().connection;
  const asked = { permissions: ['charge_read'], endpoints: ['https://example.com'], since: '2026-11-30T12:00:00Z' };

  test('says first what keeps sales waiting, then what waits for approval', () => {
    assert.equal(connection(connected).text, 'Connected');
    assert.equal(connection({ ...connected, pending_approval: asked }).text, 'Waits for your approval');
    assert.equal(
      connection({ ...connected, pending_approval: asked, parked_reason: 'stripe_permission' }).text, 'Needs attention',
    );
    assert.equal(connection({ ...connected, status: 'disconnected', pending_approval: asked }).text, 'Not connected');
  });
  test('names what is asked for', () => {
    assert.match(approval(asked), /charge_read, https:\/\/example\.com/);
    assert.match(approval({ ...asked, permissions: [], endpoints: [] }), /its new version/);
  });
});

describe('Dates', () => {
  test('are written as the Dashboard writes them', () => {
    assert.equal(day(new Date(2027, 0, 3, 9).toISOString()), 'Jan 3, 2027');
    assert.equal(moment(new Date(2027, 0, 3, 15, 5).toISOString()), 'Jan 3, 2027, 3:05 PM');
    assert.equal(moment(new Date(2027, 11, 31, 0, 0).toISOString()), 'Dec 31, 2027, 12:00 AM');
    assert.equal(moment(new Date(2027, 11, 31, 12, 0).toISOString()), 'Dec 31, 2027, 12:00 PM');
  });
  test('that cannot be read are shown as they came', () => {
    assert.equal(day('soon'), 'soon');
    assert.equal(moment('soon'), 'soon');
  });
  test('say how long ago for a week, and then the day', () => {
    assert.equal(ago('2026-06-15T11:59:30Z', now), 'just now');
    assert.equal(ago('2026-06-15T11:58:00Z', now), '2 minutes ago');
    assert.equal(ago('2026-06-15T11:00:00Z', now), '1 hour ago');
    assert.equal(ago('2026-06-12T12:00:00Z', now), '3 days ago');
    assert.equal(ago('2026-06-01T12:00:00Z', now), 'Jun 1, 2026');
  });
  test('say how long there is', () => {
    assert.equal(until('2026-06-15T20:00:00Z', now), 'today');
    assert.equal(until('2026-06-16T13:00:00Z', now), 'in 1 day');
    assert.equal(until('2026-06-27T13:00:00Z', now), 'in 12 days');
    assert.equal(until('2026-06-01T13:00:00Z', now), 'in the past');
  });
});

describe('A license in words', () => {
  test('renews, ends, has ended, or never does', () => {
    const expires_at = '2027-01-03T12:00:00Z';
    assert.equal(expiry({ status: 'active', expires_at, renews: true }, now), 'Renews Jan 3, 2027');
    assert.equal(expiry({ status: 'active', expires_at, renews: false }, now), 'Ends Jan 3, 2027');
    assert.equal(expiry({ status: 'grace_period', expires_at, renews: true }, now), 'Grace period until Jan 3, 2027');
    assert.equal(expiry({ status: 'active', expires_at: '2026-01-03T12:00:00Z', renews: true }, now), 'Expired Jan 3, 2026');
    assert.equal(expiry({ status: 'active', expires_at: null, renews: false }, now), 'Never expires');
    assert.equal(expiry({ status: 'revoked', expires_at, renews: true }, now), 'Ended');
  });
  test('counts devices as far as they are known', () => {
    assert.equal(devices({ active_device_count: 2, device_limit: 5 }), '2 of 5 in use');
    assert.equal(devices({ active_device_count: 2, device_limit: null }), '2 in use');
    assert.equal(devices({ active_device_count: null, device_limit: 5 }), 'Not known at the moment');
  });
  test('has a badge for every status, one that came later included', () => {
    assert.deepEqual(status('suspended'), { text: 'Suspended', tone: 'warning' });
    assert.deepEqual(status('on_holiday'), { text: 'On holiday', tone: 'neutral' });
  });
  test('says what a person changed', () => {
    assert.equal(byHand(license()), null);
    assert.equal(byHand(license({ changed_by_hand: ['suspended', 'extended'] })), 'Suspended and extended by hand, and left so.');
  });
});

describe('Use of a feature', () => {
  test('is an amount and a bar that is empty and full only at the ends', () => {
    assert.equal(amount({ consumed: 1_250, quota: 10_000 }), '1,250 of 10,000');
    assert.equal(amount({ consumed: 3, quota: null }), '3, without limit');
    assert.deepEqual(
      [0, 1, 500, 999, 1_000, 2_000].map((consumed) => twelfths({ consumed, quota: 1_000 })),
      [0, 1, 6, 11, 12, 12],
    );
    assert.equal(twelfths({ consumed: 5, quota: null }), null);
    assert.equal(twelfths({ consumed: 0, quota: 0 }), 12);
  });
  test('warns when little is left', () => {
    assert.deepEqual([899, 900, 1_000].map((consumed) => level({ consumed, quota: 1_000 })), ['info', 'attention', 'critical']);
  });
});

describe('Why there is no license', () => {
  test('names the product without a mapping, and the way to fix it', () => {
    const sale = { ...view().fulfillments[0]!, status: 'waiting_mapping' as const, reason: 'No mapping.', unmapped: ['prod_9', 'price_9'] };
    const reason = emptiness(view({ licenses: [], fulfillments: [sale] }));
    assert.equal(reason.title, 'No mapping for prod_9 yet');
    assert.equal(reason.fix, 'Map this product');
  });
  test('says what it waits for', () => {
    const sale = { ...view().fulfillments[0]!, status: 'waiting_payment' as const, reason: 'Not paid yet.' };
    const reason = emptiness(view({ licenses: [], fulfillments: [sale] }));
    assert.deepEqual([reason.title, reason.sentence, reason.fix], ['Waiting for payment', 'Not paid yet.', null]);
  });
  test('says that nothing was sold', () => {
    for (const type of ['customer', 'subscription', 'invoice', 'payment'] as const) {
      const reason = emptiness(view({ licenses: [], fulfillments: [], object: { id: 'x', type } }));
      assert.equal(reason.title, 'No license here');
      assert(reason.sentence.length > 20);
    }
  });
});

describe('Disputes and money', () => {
  test('are in words', () => {
    assert.equal(reason('product_not_received'), 'Product not received');
    assert.equal(reason('brand_new_reason'), 'Brand new reason');
    assert.equal(money(123_456, 'eur'), '1,234.56 EUR');
    assert.equal(money(4_900, 'JPY'), '4,900 JPY');
  });
});

describe('The setup', () => {
  const links = { connectURL: 'https://connect', consoleURL: 'https://console' };
  test('opens one step after the other', () => {
    const words = (list: ReturnType<typeof steps>) => list.map((step) => step.status);
    assert.deepEqual(words(steps(null, links)), ['not-started', 'blocked', 'blocked']);
    assert.deepEqual(words(steps(settings({ mappings: [], fulfilled: 0 }), links)), ['complete', 'not-started', 'blocked']);
    assert.deepEqual(words(steps(settings({ fulfilled: 0 }), links)), ['complete', 'complete', 'in-progress']);
    assert.deepEqual(words(steps(settings(), links)), ['complete', 'complete', 'complete']);
  });
  test('has a link only where there is something to press', () => {
    assert.equal(steps(null, links)[0]!.link?.href, 'https://connect');
    assert.equal(steps(settings({ mappings: [] }), links)[1]!.link?.href, 'https://console');
    assert(steps(settings(), links).every((step) => step.link === null));
  });
});
