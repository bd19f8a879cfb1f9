/** What the harness page is to show: read from the fragment of its address, which no server sees. */
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';

export interface Scene {
  /** The exported name of a view. */
  readonly view: string;
  /** Where signatures are made. */
  readonly signer: string;
  readonly context: ExtensionContextValue;
}

export function scene(): Scene {
  return JSON.parse(decodeURIComponent(location.hash.slice(1))) as Scene;
}
