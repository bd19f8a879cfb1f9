/** The SDK's functions for the tests: signs with a word instead of a secret, and remembers what was signed. */

export const signed: Array<Readonly<Record<string, unknown>>> = [];
export const toasts: string[] = [];
let refusal: Error | null = null;

export function refuseToSign(error: Error | null): void {
  refusal = error;
}

export function forget(): void {
  signed.length = 0;
  toasts.length = 0;
  refusal = null;
}

export function fetchStripeSignature(payload: Readonly<Record<string, unknown>> = {}): Promise<string> {
  if (refusal !== null) return Promise.reject(refusal);
  signed.push(payload);
  return Promise.resolve(`t=1,v1=${signed.length}`);
}

export function showToast(message: string): Promise<{ dismiss(): void }> {
  toasts.push(message);
  return Promise.resolve({ dismiss() {} });
}
