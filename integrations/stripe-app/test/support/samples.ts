/** Answers of the service, each as small as a test needs it. */
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import type { Evidence, License, ObjectView, Settings } from '../../src/backend/wire';

export const everything = [
  'resend_key', 'reset_device', 'suspend_license', 'reinstate_license', 'stage_evidence', 'save_settings', 'disconnect',
] as const;

export function context(changes: {
  readonly object?: { readonly id: string; readonly object: string } | null;
  readonly mode?: 'live' | 'test';
  readonly user?: string | undefined;
} = {}): ExtensionContextValue {
  return {
    userContext: {
      ...('user' in changes ? (changes.user === undefined ? {} : { id: changes.user }) : { id: 'usr_1' }),
      roles: [{ type: 'builtIn', name: 'Administrator' }],
      account: { id: 'acct_1' },
    },
    environment: {
      viewportID: 'stripe.dashboard.customer.detail',
      mode: changes.mode ?? 'live',
      objectContext: changes.object === undefined ? { id: 'cus_1', object: 'customer' } : changes.object,
      constants: { BASE_URL: 'https://licenses.example.com/' },
    },
  };
}

export function license(changes: Partial<License> = {}): License {
  return {
    id: 'lic_1',
    fulfillment_id: 'ful_1',
    status: 'active',
    key_hint: 'lsk_…wxyz',
    product: { id: 'p', name: 'Editor' },
    policy: { id: 'q', name: 'Yearly' },
    expires_at: '2999-01-03T12:00:00Z',
    renews: true,
    changed_by_hand: [],
    active_device_count: 1,
    device_limit: 3,
    devices: [{ id: 'dev_1', hostname: 'laptop', os: 'linux', last_seen_at: '2026-01-01T00:00:00Z' }],
    usage: [{ feature_code: 'api_calls', consumed: 250, quota: 1_000 }],
    url: 'https://app.licensekit.dev/licenses/lic_1',
    ...changes,
  };
}

export function view(changes: Partial<ObjectView> = {}): ObjectView {
  return {
    object: { id: 'cus_1', type: 'customer' },
    stale: false,
    fulfillments: [
      {
        id: 'ful_1', status: 'fulfilled', reason: null, kind: 'subscription', stripe_id: 'sub_1',
        updated_at: '2026-01-01T00:00:00Z', unmapped: [],
      },
    ],
    licenses: [license()],
    more_licenses: false,
    timeline: [
      {
        at: '2026-01-01T12:05:00Z', kind: 'step', title: 'Issue license 1', state: 'succeeded', detail: null,
        fulfillment_id: 'ful_1',
      },
    ],
    disputes: [],
    may: everything,
    key_mail: 'on',
    console_url: 'https://licenses.example.com/stripe/console/',
    ...changes,
  };
}

export function evidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    payment: 'pi_1',
    dispute: {
      id: 'du_1', status: 'needs_response', reason: 'fraudulent', amount: 4_900, currency: 'eur',
      due_by: '2999-01-03T12:00:00Z', is_answerable: true, is_managed: false, has_evidence: false,
    },
    stale: false,
    fields: [
      { name: 'product_description', text: 'Editor, a program.', current: null },
      { name: 'uncategorized_text', text: 'The key was delivered.', current: 'Typed by the vendor.' },
    ],
    sections: [{ title: 'Delivery', facts: [{ at: '2026-01-01T12:05:00Z', text: 'Mail accepted.' }] }],
    document_url: 'https://licenses.example.com/stripe/evidence/abc',
    may: everything,
    ...changes,
  };
}

export function settings(changes: Partial<Settings> = {}): Settings {
  return {
    account_id: 'acct_1',
    livemode: true,
    connection: {
      status: 'connected', installed_at: '2026-01-02T12:00:00Z', parked_reason: null, parked_detail: null,
      pending_approval: null,
    },
    mappings: [
      {
        id: 'map_1', stripe_id: 'prod_1', product: { id: 'p', name: 'Editor' }, policy: { id: 'q', name: 'Yearly' },
        quantity: 'per_unit', warning: null,
      },
    ],
    more_mappings: false,
    waiting_mapping: 0,
    failed: 0,
    fulfilled: 7,
    key_mail: 'on',
    settings: { bare_payments: false, update_customers: true },
    may: everything,
    console_url: 'https://licenses.example.com/stripe/console/',
    install_url: 'https://licenses.example.com/stripe/oauth/install?mode=live',
    ...changes,
  };
}
