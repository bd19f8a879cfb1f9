/** Licenses in plain words. */

import type { License } from '../backend/wire';
import { day } from './dates';

export type Tone = 'neutral' | 'info' | 'positive' | 'negative' | 'warning' | 'urgent';

export interface Label {
  readonly text: string;
  readonly tone: Tone;
}

const statuses: Readonly<Record<string, Label>> = {
  active: { text: 'Active', tone: 'positive' },
  inactive: { text: 'Not activated yet', tone: 'info' },
  grace_period: { text: 'Grace period', tone: 'warning' },
  suspended: { text: 'Suspended', tone: 'warning' },
  expired: { text: 'Expired', tone: 'neutral' },
  revoked: { text: 'Revoked', tone: 'negative' },
};

/** The status as a badge. One that this view does not know is shown in its own word. */
export function status(word: string): Label {
  return statuses[word] ?? { text: sentence(word), tone: 'neutral' };
}

/** When the license ends, or that it does not: "Renews Jan 3, 2027". */
export function expiry(license: Pick<License, 'status' | 'expires_at' | 'renews'>, now: Date): string {
  if (license.status === 'revoked') return 'Ended';
  if (license.expires_at === null) return 'Never expires';
  const isOver = new Date(license.expires_at).getTime() <= now.getTime();
  if (isOver) return `Expired ${day(license.expires_at)}`;
  if (license.status === 'grace_period') return `Grace period until ${day(license.expires_at)}`;
  return `${license.renews ? 'Renews' : 'Ends'} ${day(license.expires_at)}`;
}

/** "2 of 5 devices", as far as it is known. */
export function devices(license: Pick<License, 'active_device_count' | 'device_limit'>): string {
  const { active_device_count: count, device_limit: limit } = license;
  if (count === null) return 'Not known at the moment';
  if (limit !== null) return `${count} of ${limit} in use`;
  return count === 1 ? '1 in use' : `${count} in use`;
}

/** A name, or else the id it stands for. */
export function named(thing: { readonly id: string | null; readonly name: string | null }): string {
  return thing.name ?? thing.id ?? 'Not known';
}

/** What a person changed, as a note beside the license. */
export function byHand(license: Pick<License, 'changed_by_hand'>): string | null {
  if (license.changed_by_hand.length === 0) return null;
  return `${sentence(license.changed_by_hand.join(' and '))} by hand, and left so.`;
}

/** `waiting_mapping` as "Waiting mapping". */
export function sentence(word: string): string {
  const text = word.replace(/_/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
