/** What became of a sale, in plain words. */

import type { Fulfillment, ObjectKind, ObjectView } from '../backend/wire';
import type { Label } from './licenses';

const statuses: Readonly<Record<Fulfillment['status'], Label>> = {
  pending: { text: 'In progress', tone: 'info' },
  waiting_payment: { text: 'Waiting for payment', tone: 'info' },
  waiting_mapping: { text: 'No mapping yet', tone: 'warning' },
  fulfilled: { text: 'Licensed', tone: 'positive' },
  suspended: { text: 'Suspended', tone: 'warning' },
  ended: { text: 'Ended', tone: 'neutral' },
  failed: { text: 'Needs attention', tone: 'negative' },
};

export function status(word: Fulfillment['status']): Label {
  return statuses[word] ?? { text: word, tone: 'neutral' };
}

/** Why there is nothing to show, and what would change that. */
export interface Emptiness {
  readonly title: string;
  readonly sentence: string;
  /** What the link to the console is called where that is the way on; null where nothing can be done. */
  readonly fix: string | null;
}

/** The reason why an object has no licenses. */
export function emptiness(view: Pick<ObjectView, 'object' | 'fulfillments'>): Emptiness {
  const waiting = view.fulfillments.find((one) => one.status === 'waiting_mapping');
  if (waiting !== undefined) {
    // A mapping may be for the product or for its price; the product is what people know.
    const products = waiting.unmapped.filter((id) => id.startsWith('prod_'));
    const named = products.length === 0 ? waiting.unmapped : products;
    const what = named.length === 0 ? 'this product' : named.join(', ');
    return {
      title: `No mapping for ${what} yet`,
      sentence:
        'Choose which license this product gives. The sale waits, and its license is issued as soon as the mapping is there.',
      fix: 'Map this product',
    };
  }
  const first = view.fulfillments[0];
  if (first === undefined) {
    return { title: 'No license here', sentence: nothing[view.object.type], fix: null };
  }
  return {
    title: status(first.status).text,
    sentence: first.reason ?? 'The service is working on it. Reload in a moment.',
    fix: first.status === 'failed' ? 'Open in the console' : null,
  };
}

const nothing: Readonly<Record<ObjectKind, string>> = {
  customer: 'Nothing that gives a license was sold to this customer since LicenseKit was connected.',
  subscription: 'LicenseKit has not heard of this subscription. It may be older than the connection.',
  invoice: 'This invoice belongs to no sale that LicenseKit knows of.',
  payment: 'This payment belongs to no sale that LicenseKit knows of.',
};
