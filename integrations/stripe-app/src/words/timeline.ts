/** The story of a sale, as lines to read. */

import type { TimelineEntry } from '../backend/wire';

/** A mark before the line: what happened outside, what was decided, what was done, what a person noted. */
export function kind(entry: Pick<TimelineEntry, 'kind' | 'state'>): string {
  if (entry.state === 'failed') return 'Failed';
  switch (entry.kind) {
    case 'event':
      return 'Stripe';
    case 'decision':
      return 'Decision';
    case 'step':
      return entry.state === 'started' ? 'Under way' : 'Done';
    case 'note':
      return 'Note';
  }
}
