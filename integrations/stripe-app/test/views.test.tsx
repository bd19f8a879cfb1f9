import assert from 'node:assert/strict';
import test, { afterEach, describe } from 'node:test';
import AppSettings from '../src/views/AppSettings';
import CustomerView from '../src/views/CustomerView';
import InvoiceView from '../src/views/InvoiceView';
import Onboarding from '../src/views/Onboarding';
import PaymentView from '../src/views/PaymentView';
import SubscriptionView from '../src/views/SubscriptionView';
import { Page } from './support/page';
import { context, evidence, license, settings, view } from './support/samples';
import { Service, data, refusal } from './support/service';
import { forget, toasts } from './support/utils';

let open: Page | null = null;
afterEach(async () => {
  await open?.close();
  open = null;
  forget();
});

async function page(...[View, at]: Parameters<typeof Page.open>): Promise<Page> {
  open = await Page.open(View, at);
  return open;
}

const payment = context({ object: { id: 'ch_1', object: 'charge' } });

describe('Licenses beside an object', () => {
  test('are asked for by the object’s own id, a charge’s included', async () => {
    for (const [View, object, kind] of [
      [CustomerView, 'cus_1', 'customer'], [SubscriptionView, 'sub_1', 'subscription'], [InvoiceView, 'in_1', 'invoice'],
      [PaymentView, 'pi_1', 'payment'], [PaymentView, 'ch_1', 'payment'],
    ] as const) {
      const service = new Service().on(kind, data(view()));
      await page(View, context({ object: { id: object, object: kind } }));
      assert.equal(service.asked[0]!.body[kind], object);
      await open?.close();
    }
  });

  test('are loading until they are there', async () => {
    new Service().on('customer', 'silent');
    const it = await page(CustomerView, context());
    assert.match(it.text, /Loading licenses/);
    assert(it.has('[role=progressbar]'));
  });

  test('show what they are, until when, where, and what is used', async () => {
    new Service().on('customer', data(view()));
    const it = await page(CustomerView, context());
    for (const said of ['Editor', 'Yearly', 'Active', 'lsk_…wxyz', '1 of 3 in use', 'laptop', '250 of 1,000']) {
      assert(it.text.includes(said), said);
    }
    assert.match(it.text, /Renews Jan 3, 2999/);
    assert.match(it.text, /Issue license 1/);
    assert.doesNotMatch(it.text, /Test mode/);
  });

  test('say when they are of test mode', async () => {
    new Service().on('customer', data(view()));
    assert.match((await page(CustomerView, context({ mode: 'test' }))).text, /Test mode/);
  });

  test('that are missing have a reason and a way on', async () => {
    const sale = { ...view().fulfillments[0]!, status: 'waiting_mapping' as const, reason: 'No mapping.', unmapped: ['prod_9'] };
    new Service().on('customer', data(view({ licenses: [], fulfillments: [sale] })));
    const it = await page(CustomerView, context());
    assert.match(it.text, /No mapping for prod_9 yet/);
    assert.equal(it.link('Map this product'), 'https://licenses.example.com/stripe/console/');
  });

  test('that are old are marked', async () => {
    new Service().on('customer', data(view({ stale: true })));
    const it = await page(CustomerView, context());
    assert.match(it.text, /This may be out of date/);
    assert.match(it.text, /Editor/);
  });

  test('stay on the page, marked, when asking again fails', async () => {
    new Service().on('customer', data(view({ stale: true })), 'unreachable', data(view()));
    const it = await page(CustomerView, context());
    await it.press('Try again');
    assert.match(it.text, /Asking again did not work/);
    assert.match(it.text, /Editor/);
    await it.press('Try again');
    assert.doesNotMatch(it.text, /out of date/);
  });

  test('of an account that is not connected lead to the installation in the same mode', async () => {
    new Service().on('customer', refusal(403, 'ACCOUNT_NOT_CONNECTED'));
    const it = await page(CustomerView, context({ mode: 'test' }));
    assert.equal(it.link('Connect with Stripe'), 'https://licenses.example.com/stripe/oauth/install?mode=test');
  });

  test('that cannot be had can be asked for again', async () => {
    new Service().on('customer', 'unreachable', data(view()));
    const it = await page(CustomerView, context());
    assert.match(it.text, /cannot be reached/);
    await it.press('Try again');
    assert.match(it.text, /Editor/);
  });

  test('offer what the person may do, and nothing else', async () => {
    new Service().on('customer', data(view({ may: [] })));
    const reader = await page(CustomerView, context());
    for (const label of ['Resend key', 'Suspend', 'Reset laptop']) assert(!reader.labels().includes(label), label);
    await reader.close();
    new Service().on('customer', data(view({ may: ['resend_key'], key_mail: 'off' })));
    assert(!(await page(CustomerView, context())).labels().includes('Resend key'));
  });

  test('offer what fits their state', async () => {
    const licenses = [license({ status: 'suspended' }), license({ id: 'lic_2', status: 'revoked', devices: [] })];
    new Service().on('customer', data(view({ licenses })));
    const labels = (await page(CustomerView, context())).labels();
    assert.equal(labels.filter((one) => one === 'Reinstate').length, 1);
    assert.equal(labels.filter((one) => one === 'Resend key').length, 1);
    assert(!labels.includes('Suspend'));
  });
});

describe('An action', () => {
  test('is sent after the second press only, once, and shows what came of it', async () => {
    const service = new Service()
      .on('customer', data(view()), data(view({ licenses: [license({ status: 'suspended' })] })))
      .on('actions', data({ operation: 'suspend_license', object: 'lic_1', summary: 'Suspended.' }));
    const it = await page(CustomerView, context());
    await it.press('Suspend');
    assert.match(it.text, /Suspend this license\?/);
    assert.equal(service.actions().length, 0);
    await it.press('Suspend license');
    const sent = service.actions();
    assert.equal(sent.length, 1);
    assert.deepEqual([sent[0]!.body['operation'], sent[0]!.body['object']], ['suspend_license', 'lic_1']);
    assert.deepEqual(toasts, ['License suspended']);
    assert.doesNotMatch(it.text, /Suspend this license\?/);
    assert(it.labels().includes('Reinstate'));
  });

  test('can be called off', async () => {
    const service = new Service().on('customer', data(view()));
    const it = await page(CustomerView, context());
    await it.press('Resend key');
    await it.press('Cancel');
    assert.doesNotMatch(it.text, /Send the key again/);
    assert.equal(service.actions().length, 0);
  });

  test('that is under way cannot be sent again', async () => {
    const service = new Service().on('customer', data(view())).on('actions', 'silent');
    const it = await page(CustomerView, context());
    await it.press('Resend key');
    await it.press('Send key');
    await it.press('Send key');
    assert.equal(service.actions().length, 1);
  });

  test('that is refused says why, and leaves the question open', async () => {
    new Service().on('customer', data(view())).on('actions', refusal(403, 'ROLE_NOT_ALLOWED'));
    const it = await page(CustomerView, context());
    await it.press('Resend key');
    await it.press('Send key');
    assert.match(it.text, /Your role does not allow this/);
    assert.match(it.text, /Send the key again/);
    assert.deepEqual(toasts, []);
  });

  test('on a device names the license as well', async () => {
    const service = new Service().on('customer', data(view())).on('actions', data({}));
    const it = await page(CustomerView, context());
    await it.press('Reset laptop');
    await it.press('Reset device');
    const body = service.actions()[0]!.body;
    assert.deepEqual([body['operation'], body['object'], body['license']], ['reset_device', 'dev_1', 'lic_1']);
  });

  test('confirms in no more than thirty characters', async () => {
    const licenses = [license(), license({ id: 'lic_2', status: 'suspended' })];
    new Service().on('customer', data(view({ licenses }))).on('actions', data({}));
    const it = await page(CustomerView, context());
    for (const [button, verb] of [
      ['Resend key', 'Send key'], ['Suspend', 'Suspend license'], ['Reinstate', 'Reinstate license'],
      ['Reset laptop', 'Reset device'],
    ] as const) {
      await it.press(button);
      await it.press(verb);
    }
    assert.equal(toasts.length, 4);
    for (const toast of toasts) assert(toast.length <= 30, toast);
  });
});

describe('A dispute', () => {
  const disputed = view({ disputes: [{ id: 'du_1', status: 'needs_response' }] });

  test('is announced only while it can be answered', async () => {
    new Service().on('payment', data(disputed));
    assert.match((await page(PaymentView, payment)).text, /This payment is disputed/);
    await open?.close();
    new Service().on('payment', data(view({ disputes: [{ id: 'du_1', status: 'lost' }] })));
    assert.doesNotMatch((await page(PaymentView, payment)).text, /This payment is disputed/);
  });

  test('shows its evidence, and stages it after a second look', async () => {
    const service = new Service().on('payment', data(disputed)).on('evidence', data(evidence())).on('actions', data({}));
    const it = await page(PaymentView, payment);
    await it.press('Prepare evidence');
    assert.equal(service.asked[1]!.body['payment'], 'ch_1');
    for (const said of ['49.00 EUR', 'Fraudulent', 'Delivery', 'Mail accepted.']) assert(it.text.includes(said), said);
    assert.equal(it.link('Open as PDF'), 'https://licenses.example.com/stripe/evidence/abc');
    await it.press('Add to the dispute');
    assert.match(it.text, /Nothing is submitted to the bank/);
    assert.match(it.text, /Stays as it is/);
    assert.equal(service.actions().length, 0);
    await it.press('Save as draft');
    const body = service.actions()[0]!.body;
    assert.deepEqual(
      [body['operation'], body['object'], body['payment'], body['replace']],
      ['stage_evidence', 'du_1', 'ch_1', false],
    );
    assert.match(it.text, /Saved as a draft/);
  });

  test('replaces what the vendor wrote only when told to', async () => {
    const service = new Service().on('payment', data(disputed)).on('evidence', data(evidence())).on('actions', data({}));
    const it = await page(PaymentView, payment);
    await it.press('Prepare evidence');
    await it.press('Add to the dispute');
    await it.tick();
    assert.doesNotMatch(it.text, /Stays as it is/);
    await it.press('Save as draft');
    assert.equal(service.actions()[0]!.body['replace'], true);
  });

  test('cannot be added to without the right, or when it is over', async () => {
    for (const one of [
      evidence({ may: [] }),
      evidence({ dispute: { ...evidence().dispute, is_answerable: false, status: 'under_review' } }),
      evidence({ dispute: { ...evidence().dispute, is_answerable: false, is_managed: true } }),
    ]) {
      const service = new Service().on('payment', data(disputed)).on('evidence', data(one));
      const it = await page(PaymentView, payment);
      await it.press('Prepare evidence');
      await it.press('Add to the dispute');
      assert.doesNotMatch(it.text, /Nothing is submitted/);
      assert.equal(service.actions().length, 0);
      await open?.close();
    }
  });
});

describe('The settings', () => {
  const at = context({ object: null });

  test('show the connection, the mappings and the choices', async () => {
    new Service().on('settings', data(settings({ waiting_mapping: 2 })));
    const it = await page(AppSettings, at);
    for (const said of ['Connected', 'acct_1', 'Editor', 'prod_1', 'a license for each unit', '2 sales wait']) {
      assert(it.text.includes(said), said);
    }
    assert.equal(it.link('Authorize again'), 'https://licenses.example.com/stripe/oauth/install?mode=live');
  });

  test('say what the app waits for, before anything fails', async () => {
    const asked = { permissions: ['dispute_write'], endpoints: [], since: '2026-11-30T12:00:00Z' };
    new Service().on(
      'settings', data(settings({ connection: { ...settings().connection, pending_approval: asked } })),
    );
    const it = await page(AppSettings, at);
    assert(it.text.includes('Waits for your approval') && it.text.includes('dispute_write'), it.text);
  });

  test('are saved as a whole, and confirmed', async () => {
    const service = new Service().on('settings', data(settings())).on('actions', data({}));
    const it = await page(AppSettings, at);
    await it.choose('bare_payments', 'on');
    await it.press('Save');
    const body = service.actions()[0]!.body;
    assert.deepEqual(
      [body['operation'], body['object'], body['bare_payments'], body['update_customers']],
      ['save_settings', 'acct_1', true, true],
    );
    assert.match(it.text, /Saved/);
  });

  test('can only be looked at without the right', async () => {
    new Service().on('settings', data(settings({ may: [] })));
    const it = await page(AppSettings, at);
    assert(!it.labels().includes('Save'));
    assert(!it.labels().includes('Disconnect'));
    assert.match(it.text, /Only an administrator/);
  });

  test('disconnect after a question', async () => {
    const service = new Service()
      .on('settings', data(settings()), refusal(403, 'ACCOUNT_NOT_CONNECTED'))
      .on('actions', data({}));
    const it = await page(AppSettings, at);
    await it.press('Disconnect');
    assert.equal(service.actions().length, 0);
    await it.press('Disconnect');
    assert.deepEqual([service.actions()[0]!.body['operation'], service.actions()[0]!.body['object']], ['disconnect', 'acct_1']);
    assert.match(it.text, /Connect this account/);
    assert.doesNotMatch(it.text, /Connected since/);
  });
});

describe('The setup', () => {
  const at = context({ object: null, mode: 'test' });

  test('begins with connecting, which is no error', async () => {
    new Service().on('settings', refusal(403, 'ACCOUNT_NOT_CONNECTED'));
    const it = await page(Onboarding, at);
    assert(!it.has('[role=alert]'));
    assert.equal(it.link('Connect with Stripe'), 'https://licenses.example.com/stripe/oauth/install?mode=test');
  });

  test('looks again on demand, and ends', async () => {
    new Service().on('settings', data(settings({ mappings: [], fulfilled: 0 })), data(settings()));
    const it = await page(Onboarding, at);
    assert.equal(it.link('Map a product'), 'https://licenses.example.com/stripe/console/');
    await it.press('Check again');
    assert.match(it.text, /You are set/);
  });

  test('that cannot be read says so', async () => {
    new Service().on('settings', 'unreachable');
    assert.match((await page(Onboarding, at)).text, /cannot be reached/);
  });
});
