/** The parts of `@stripe/ui-extension-sdk/utils` used here. */

/**
 * The value of `Stripe-Signature` over the payload followed by `user_id` and `account_id`. Stripe refuses to sign
 * `stripe_roles` that the person does not have.
 */
export function fetchStripeSignature(
  payload?: Readonly<Record<string, unknown>>,
): Promise<string>;

/** A short confirmation at the edge of the Dashboard; at most 30 characters. */
export function showToast(
  message: string,
  options?: { readonly type?: 'success' | 'caution' | 'pending' },
): Promise<{ dismiss(): void }>;

export function clipboardWriteText(text: string): Promise<void>;
