/** The parts of node's own modules and of jsdom that the tests use. */

declare module 'node:test' {
  type Body = () => void | Promise<void>;
  const test: (name: string, body: Body) => void;
  export default test;
  export const describe: (name: string, body: () => void) => void;
  export const after: (body: Body) => void;
  export const afterEach: (body: Body) => void;
}

declare module 'node:assert/strict' {
  interface Assert {
    (value: unknown, message?: string): asserts value;
    equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
    notEqual(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    match(text: string, pattern: RegExp, message?: string): void;
    doesNotMatch(text: string, pattern: RegExp, message?: string): void;
  }
  const assert: Assert;
  export default assert;
}

declare module 'node:fs' {
  export function readFileSync(path: string): Uint8Array;
  export function readFileSync(path: string, encoding: 'utf8'): string;
  export function existsSync(path: string): boolean;
}

declare module 'jsdom' {
  export class JSDOM {
    constructor(markup: string, options?: { url?: string });
    readonly window: Window & typeof globalThis;
  }
}

declare module 'react-dom/test-utils' {
  export function act(run: () => void | Promise<void>): Promise<void>;
}

declare const process: { cwd(): string };
