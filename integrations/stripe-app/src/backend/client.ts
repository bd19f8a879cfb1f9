/** The license service as a view talks to it: every request is one JSON body that Stripe has signed as a whole. */

import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { fetchStripeSignature } from '@stripe/ui-extension-sdk/utils';
import { nonce } from './nonce';
import type { Problem } from './problem';
import { problem } from './problem';
import type { Done, Operation } from './wire';

export type Answer<Data> =
  | { readonly ok: true; readonly data: Data }
  | { readonly ok: false; readonly problem: Problem };

export type Fields = Readonly<Record<string, string | boolean>>;

/** How long a view waits for an answer, in milliseconds. The service itself waits three seconds for the license server. */
export const patience = 15_000;

export interface Backend {
  /** Asks for something; changes nothing. */
  read<Data>(subject: string, fields?: Fields): Promise<Answer<Data>>;
  /** Has something done, once: each call has a nonce of its own. */
  act(operation: Operation, object: string, fields?: Fields): Promise<Answer<Done>>;
  /** A page of the service, for a link. */
  page(path: string): string;
}

export function backend(context: Pick<ExtensionContextValue, 'userContext' | 'environment'>): Backend {
  const base = baseURL(context.environment.constants);
  const livemode = context.environment.mode === 'live';

  async function send<Data>(path: string, fields: Fields): Promise<Answer<Data>> {
    const { id: user, roles, account } = context.userContext;
    if (user === undefined) return { ok: false, problem: problem('NOT_SIGNED') };
    const payload = { ...fields, livemode, ...(roles === undefined ? {} : { stripe_roles: roles }) };
    let signature: string;
    try {
      signature = await fetchStripeSignature(payload);
    } catch {
      return { ok: false, problem: problem('NOT_SIGNED') };
    }
    // The bytes that were signed: the payload's fields in their order, then these two.
    const body = JSON.stringify({ ...payload, user_id: user, account_id: account.id });
    const given = new AbortController();
    const timer = setTimeout(() => given.abort(), patience);
    try {
      const response = await fetch(`${base}/stripe/app/${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Stripe-Signature': signature },
        body,
        signal: given.signal,
      });
      return understand<Data>(response.ok, await response.text());
    } catch {
      return { ok: false, problem: problem('UNREACHABLE') };
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    read: (subject, fields = {}) => send(subject, fields),
    act: (operation, object, fields = {}) => send('actions', { operation, object, nonce: nonce(), ...fields }),
    page: (path) => `${base}${path}`,
  };
}

/** Reads the envelope: `{data, meta}` or `{error: {code, message, detail?}, meta}`. */
export function understand<Data>(ok: boolean, text: string): Answer<Data> {
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch {
    return { ok: false, problem: problem('UNREADABLE') };
  }
  if (!isRecord(envelope)) return { ok: false, problem: problem('UNREADABLE') };
  if (ok && isRecord(envelope['data'])) return { ok: true, data: envelope['data'] as unknown as Data };
  const error = isRecord(envelope['error']) ? envelope['error'] : {};
  const meta = isRecord(envelope['meta']) ? envelope['meta'] : {};
  return {
    ok: false,
    problem: problem(word(error['code']) ?? 'UNREADABLE', word(error['detail']), word(meta['request_id'])),
  };
}

function baseURL(constants: ExtensionContextValue['environment']['constants']): string {
  const named = constants?.['BASE_URL'];
  return (typeof named === 'string' ? named : 'https://stripe.licensekit.dev').replace(/\/+$/, '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function word(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
