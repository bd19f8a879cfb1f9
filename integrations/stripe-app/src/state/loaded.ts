/** Something that a view has asked the service for. */

import type { Answer } from '../backend/client';
import type { Problem } from '../backend/problem';

export type Loaded<Data> =
  | { readonly phase: 'loading' }
  | { readonly phase: 'failed'; readonly problem: Problem }
  /** `isReloading`: shown while it is asked for again. `problem`: asking again failed; what is shown is from before. */
  | { readonly phase: 'loaded'; readonly data: Data; readonly isReloading: boolean; readonly problem: Problem | null };

export const loading: Loaded<never> = { phase: 'loading' };

/** It is asked for again. */
export function reloading<Data>(before: Loaded<Data>): Loaded<Data> {
  return before.phase === 'loaded' ? { ...before, isReloading: true } : loading;
}

/**
 * An answer has come. What was there before outlives a failure, and is marked as old; but not the end of the
 * connection, after which nothing of it may be shown.
 */
export function answered<Data>(before: Loaded<Data>, answer: Answer<Data>): Loaded<Data> {
  if (answer.ok) return { phase: 'loaded', data: answer.data, isReloading: false, problem: null };
  const isOver = answer.problem.code === 'ACCOUNT_NOT_CONNECTED';
  if (before.phase === 'loaded' && !isOver) return { ...before, isReloading: false, problem: answer.problem };
  return { phase: 'failed', problem: answer.problem };
}
