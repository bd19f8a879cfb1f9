/** Metered features in plain words, and as a bar. */

import type { Usage } from '../backend/wire';
import { sentence } from './licenses';

/** "3 of 1,000", or "3, without limit". */
export function amount(usage: Pick<Usage, 'consumed' | 'quota'>): string {
  return usage.quota === null ? `${count(usage.consumed)}, without limit` : `${count(usage.consumed)} of ${count(usage.quota)}`;
}

/** The name of a feature: its code in words. */
export function feature(usage: Pick<Usage, 'feature_code'>): string {
  return sentence(usage.feature_code.replace(/[-.]/g, '_'));
}

/** How many twelfths of the bar are filled: none only for no use, all only when nothing is left. */
export function twelfths(usage: Pick<Usage, 'consumed' | 'quota'>): number | null {
  if (usage.quota === null) return null;
  if (usage.consumed >= usage.quota) return 12;
  if (usage.consumed <= 0) return 0;
  return Math.min(11, Math.max(1, Math.round((usage.consumed / usage.quota) * 12)));
}

/** Whether the quota is nearly used up, or is. */
export function level(usage: Pick<Usage, 'consumed' | 'quota'>): 'info' | 'attention' | 'critical' {
  if (usage.quota === null) return 'info';
  if (usage.consumed >= usage.quota) return 'critical';
  return usage.consumed >= usage.quota * 0.9 ? 'attention' : 'info';
}

function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
