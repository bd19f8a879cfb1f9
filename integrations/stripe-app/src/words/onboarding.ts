/** The steps from the installation to the first license. */

import type { Settings } from '../backend/wire';

export interface Step {
  readonly title: string;
  readonly sentence: string;
  readonly status: 'complete' | 'not-started' | 'in-progress' | 'blocked';
  /** What to press while the step is open. */
  readonly link: { readonly label: string; readonly href: string } | null;
}

/** Each step opens when the one before is done. Without settings the account is not connected yet. */
export function steps(
  settings: Settings | null,
  links: { readonly connectURL: string; readonly consoleURL: string },
): readonly Step[] {
  const isConnected = settings !== null && settings.connection.status === 'connected';
  const isMapped = isConnected && settings.mappings.length > 0;
  const hasSold = isMapped && settings.fulfilled > 0;
  return [
    {
      title: 'Connect your Stripe account',
      sentence: isConnected
        ? 'LicenseKit hears of your sales.'
        : 'Sign in with Stripe and allow LicenseKit to read your sales.',
      status: isConnected ? 'complete' : 'not-started',
      link: isConnected ? null : { label: 'Connect with Stripe', href: links.connectURL },
    },
    {
      title: 'Choose what your products give',
      sentence: isMapped
        ? `${settings.mappings.length === 1 ? 'One product is' : `${settings.mappings.length} products are`} mapped.`
        : 'Pick a Stripe product and the license that it sells.',
      status: isMapped ? 'complete' : isConnected ? 'not-started' : 'blocked',
      link: isConnected && !isMapped ? { label: 'Map a product', href: links.consoleURL } : null,
    },
    {
      title: 'Sell one',
      sentence: hasSold
        ? 'The first sale has its license.'
        : 'Buy your product once in test mode: its license appears beside the payment.',
      status: hasSold ? 'complete' : isMapped ? 'in-progress' : 'blocked',
      link: null,
    },
  ];
}
