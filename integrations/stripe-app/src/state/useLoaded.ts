import { useCallback, useEffect, useRef, useState } from 'react';
import type { Answer } from '../backend/client';
import type { Loaded } from './loaded';
import { answered, loading, reloading } from './loaded';

/**
 * Loads something when the view appears and whenever `key` changes, and again on demand. An answer that is overtaken by
 * a later question, or comes when the view is gone, is dropped.
 */
export function useLoaded<Data>(key: string, ask: () => Promise<Answer<Data>>): [Loaded<Data>, () => void] {
  const [state, setState] = useState<Loaded<Data>>(loading);
  const latest = useRef(0);
  const asking = useRef(ask);
  asking.current = ask;

  const load = useCallback(() => {
    latest.current += 1;
    const mine = latest.current;
    setState(reloading);
    void asking.current().then((answer) => {
      if (latest.current === mine) setState((before) => answered(before, answer));
    });
  }, []);

  useEffect(() => {
    setState(loading);
    load();
    return () => {
      latest.current += 1;
    };
  }, [key, load]);

  return [state, load];
}
