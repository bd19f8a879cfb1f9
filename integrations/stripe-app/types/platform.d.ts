/** The few things of the browser that a view has: there is no DOM, no storage and no window in the sandbox. */

declare function fetch(
  url: string,
  init: {
    method: 'POST';
    headers: Readonly<Record<string, string>>;
    body: string;
    signal?: AbortSignal;
  },
): Promise<{
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}>;

declare const crypto: { getRandomValues(into: Uint8Array): Uint8Array };

declare class AbortController {
  readonly signal: AbortSignal;
  abort(): void;
}
interface AbortSignal {
  readonly aborted: boolean;
}

declare function setTimeout(run: () => void, milliseconds: number): number;
declare function clearTimeout(timer: number): void;
