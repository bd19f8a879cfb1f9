/** A license service that answers from a list, and remembers what it was asked. */

export interface Asked {
  readonly path: string;
  readonly signature: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

type Reply = { readonly status: number; readonly text: string } | 'unreachable' | 'silent';

export class Service {
  readonly asked: Asked[] = [];
  private readonly replies = new Map<string, Reply[]>();

  constructor() {
    (globalThis as unknown as { fetch: unknown }).fetch = this.answer.bind(this);
  }

  /** The answers to a path, in turn; the last one stays. */
  on(path: string, ...replies: Reply[]): this {
    this.replies.set(path, replies);
    return this;
  }

  actions(): readonly Asked[] {
    return this.asked.filter((one) => one.path === 'actions');
  }

  private answer(
    url: string,
    init: { headers: Record<string, string>; body: string; signal: AbortSignal },
  ): Promise<unknown> {
    const path = url.replace(/^.*\/stripe\/app\//, '');
    this.asked.push({
      path,
      signature: init.headers['Stripe-Signature'] ?? '',
      body: JSON.parse(init.body) as Record<string, unknown>,
      text: init.body,
    });
    const waiting = this.replies.get(path) ?? [];
    const reply = waiting.length > 1 ? waiting.shift() : waiting[0];
    if (reply === undefined || reply === 'unreachable') return Promise.reject(new TypeError('Failed to fetch'));
    if (reply === 'silent') return new Promise(() => {});
    return Promise.resolve({
      ok: reply.status < 300,
      status: reply.status,
      text: () => Promise.resolve(reply.text),
    });
  }
}

export function data(value: unknown): Reply {
  return { status: 200, text: JSON.stringify({ data: value, meta: { request_id: 'req_1' } }) };
}

export function refusal(status: number, code: string, detail?: string): Reply {
  return {
    status,
    text: JSON.stringify({ error: { code, message: 'No.', detail }, meta: { request_id: 'req_2' } }),
  };
}
