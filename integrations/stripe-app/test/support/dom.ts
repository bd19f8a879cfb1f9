/** A document for React, which looks for one while it is loaded: import this before it. */
import { after } from 'node:test';
import { JSDOM } from 'jsdom';

export const dom = new JSDOM('<!doctype html><body></body>', { url: 'https://dashboard.example.com/' });
after(() => dom.window.close());

const scope = globalThis as unknown as Record<string, unknown>;
scope['window'] = dom.window;
scope['document'] = dom.window.document;
scope['IS_REACT_ACT_ENVIRONMENT'] = true;
if (scope['navigator'] === undefined) scope['navigator'] = dom.window.navigator;

// A view waits for its answers with a timer; a test that is over does not wait for that.
const setTimer = globalThis.setTimeout as (run: () => void, milliseconds: number) => unknown;
scope['setTimeout'] = (run: () => void, milliseconds: number) => {
  const timer = setTimer(run, milliseconds) as { unref?: () => void };
  timer.unref?.();
  return timer;
};
