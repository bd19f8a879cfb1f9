import { useEffect, useRef, useState } from 'react';
import { showToast } from '@stripe/ui-extension-sdk/utils';
import type { Answer } from '../backend/client';
import type { Problem } from '../backend/problem';
import type { Done } from '../backend/wire';

/** Something that a person may have done, as far as it has come. */
export interface Action {
  readonly isPending: boolean;
  readonly problem: Problem | null;
  run(ask: () => Promise<Answer<Done>>): void;
  forget(): void;
}

/** Runs one thing at a time: a second press while it is under way does nothing. */
export function useAction(toast: string, done: (what: Done) => void): Action {
  const [isPending, setPending] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isBusy = useRef(false);
  const isThere = useRef(true);
  useEffect(() => {
    isThere.current = true;
    return () => {
      isThere.current = false;
    };
  }, []);

  return {
    isPending,
    problem,
    run(ask) {
      if (isBusy.current) return;
      isBusy.current = true;
      setPending(true);
      setProblem(null);
      void ask().then((answer) => {
        isBusy.current = false;
        if (!isThere.current) return;
        setPending(false);
        if (answer.ok) {
          void showToast(toast, { type: 'success' });
          done(answer.data);
        } else {
          setProblem(answer.problem);
        }
      });
    },
    forget: () => setProblem(null),
  };
}
