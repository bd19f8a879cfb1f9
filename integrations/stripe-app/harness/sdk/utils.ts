/**
 * The SDK's functions for the harness page: signatures come from whatever plays Stripe there, as in the Dashboard, where
 * the secret is in no browser either.
 */
import { scene } from '../scene';

export async function fetchStripeSignature(payload?: Readonly<Record<string, unknown>>): Promise<string> {
  const { signer, context } = scene();
  const query = new URLSearchParams({
    payload: JSON.stringify(payload ?? {}),
    user_id: context.userContext.id ?? '',
    account_id: context.userContext.account.id,
  });
  const response = await fetch(`${signer}?${query.toString()}`);
  if (!response.ok) throw new Error(`not signed: ${response.status}`);
  return ((await response.json()) as { signature: string }).signature;
}

export function showToast(message: string): Promise<{ dismiss(): void }> {
  const toast = document.createElement('div');
  toast.className = 'toast';
  toast.setAttribute('role', 'log');
  toast.textContent = message;
  document.body.append(toast);
  return Promise.resolve({ dismiss: () => toast.remove() });
}

export function clipboardWriteText(): Promise<void> {
  return Promise.resolve();
}
