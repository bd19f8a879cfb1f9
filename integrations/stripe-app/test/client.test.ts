import assert from 'node:assert/strict';
import test, { afterEach, describe } from 'node:test';
import { backend, understand } from '../src/backend/client';
import { answered, loading, reloading } from '../src/state/loaded';
import { problem } from '../src/backend/problem';
import { context } from './support/samples';
import { Service, data, refusal } from './support/service';
import { forget, refuseToSign, signed } from './support/utils';

afterEach(forget);

describe('A request', () => {
  test('is exactly what was signed, with user and account at its end', async () => {
    const service = new Service().on('customer', data({}));
    await backend(context()).read('customer', { customer: 'cus_1' });
    const asked = service.asked[0]!;
    assert.equal(
      asked.text,
      '{"customer":"cus_1","livemode":true,"stripe_roles":[{"type":"builtIn","name":"Administrator"}],"user_id":"usr_1","account_id":"acct_1"}',
    );
    assert.equal(asked.text, JSON.stringify({ ...signed[0], user_id: 'usr_1', account_id: 'acct_1' }));
    assert.equal(asked.signature, 't=1,v1=1');
  });

  test('names the mode it was made in', async () => {
    const service = new Service().on('settings', data({}));
    await backend(context({ mode: 'test' })).read('settings');
    assert.equal(service.asked[0]!.body['livemode'], false);
  });

  test('that changes something has a nonce of its own; one that reads has none', async () => {
    const service = new Service().on('actions', data({})).on('settings', data({}));
    const it = backend(context());
    await it.act('suspend_license', 'lic_1');
    await it.act('suspend_license', 'lic_1');
    await it.read('settings');
    const [first, second, read] = service.asked.map((one) => one.body);
    assert.match(String(first!['nonce']), /^[0-9a-f]{32}$/);
    assert.notEqual(first!['nonce'], second!['nonce']);
    assert.equal(first!['operation'], 'suspend_license');
    assert.equal(first!['object'], 'lic_1');
    assert.equal('nonce' in read!, false);
  });

  test('is not sent for a person whom Stripe does not name, or without a signature', async () => {
    const service = new Service();
    const unnamed = await backend(context({ user: undefined })).read('settings');
    refuseToSign(new Error('400'));
    const unsigned = await backend(context()).read('settings');
    for (const answer of [unnamed, unsigned]) assert.equal(answer.ok ? '' : answer.problem.code, 'NOT_SIGNED');
    assert.equal(service.asked.length, 0);
  });
});

describe('An answer', () => {
  test('that is an error says what to do about it', async () => {
    new Service().on('customer', refusal(403, 'ACCOUNT_NOT_CONNECTED', 'not here'));
    const answer = await backend(context()).read('customer');
    assert(!answer.ok);
    assert.deepEqual(
      [answer.problem.code, answer.problem.wayOn, answer.problem.requestID],
      ['ACCOUNT_NOT_CONNECTED', 'connect', 'req_2'],
    );
  });

  test('that never comes is a problem with a way on', async () => {
    new Service().on('customer', 'unreachable');
    const answer = await backend(context()).read('customer');
    assert(!answer.ok);
    assert.deepEqual([answer.problem.code, answer.problem.wayOn], ['UNREACHABLE', 'retry']);
  });

  test('that is no envelope is not taken for one', () => {
    for (const text of ['', '<html>', '[]', '"x"', 'null', '{"data":[]}', '{}']) {
      const answer = understand(true, text);
      assert.equal(answer.ok, false, text);
    }
  });

  test('with a code nobody has heard of still says something', () => {
    const answer = understand(false, '{"error":{"code":"NEW","message":"m","detail":"a tree fell"},"meta":{"request_id":"r"}}');
    assert(!answer.ok);
    assert.match(answer.problem.sentence, /a tree fell/);
    assert.equal(answer.problem.requestID, 'r');
  });
});

describe('Something loaded', () => {
  const data = { ok: true, data: 1 } as const;
  const failure = { ok: false, problem: problem('UNREACHABLE') } as const;

  test('is shown while it is asked for again, and outlives a failure', () => {
    const loaded = answered(loading, data);
    assert.deepEqual(reloading(loaded), { phase: 'loaded', data: 1, isReloading: true, problem: null });
    const old = answered(reloading(loaded), failure);
    assert.deepEqual(old, { phase: 'loaded', data: 1, isReloading: false, problem: failure.problem });
    assert.deepEqual(answered(old, { ok: true, data: 2 }), { phase: 'loaded', data: 2, isReloading: false, problem: null });
  });
  test('is gone when the account is not connected any more', () => {
    const over = { ok: false, problem: problem('ACCOUNT_NOT_CONNECTED') } as const;
    assert.equal(answered(answered(loading, data), over).phase, 'failed');
  });
  test('that was never there is a failure', () => {
    assert.equal(answered(loading, failure).phase, 'failed');
    assert.equal(reloading(answered(loading, failure)).phase, 'loading');
  });
});
