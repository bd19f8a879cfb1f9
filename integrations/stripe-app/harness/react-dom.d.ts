/** The two functions of `react-dom` that the harness and the tests call. */
import type { ReactElement } from 'react';

export interface Root {
  render(element: ReactElement): void;
  unmount(): void;
}
export function createRoot(container: Element): Root;
export function act(run: () => void | Promise<void>): Promise<void>;
