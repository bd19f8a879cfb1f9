/** Why something did not work, and what the person can do about it. */

/** What helps: trying again, connecting the account, or going to the console. */
export type WayOn = 'retry' | 'connect' | 'console' | 'none';

export interface Problem {
  readonly code: string;
  readonly title: string;
  readonly sentence: string;
  readonly wayOn: WayOn;
  /** Under which the service has logged the request. */
  readonly requestID: string | null;
}

type Words = readonly [title: string, sentence: string, wayOn: WayOn];

const known: Readonly<Record<string, Words>> = {
  ACCOUNT_NOT_CONNECTED: [
    'Connect this account',
    'LicenseKit is not connected to this Stripe account in this mode yet.',
    'connect',
  ],
  STRIPE_AUTHORIZATION_LOST: [
    'Connect this account again',
    'Stripe no longer accepts the authorization of this account.',
    'connect',
  ],
  STRIPE_PERMISSION_MISSING: [
    'A permission is missing',
    'The installed version of the app lacks a permission that this needs. Authorize the app again to grant it.',
    'connect',
  ],
  LICENSEKIT_CREDENTIAL_REFUSED: [
    'LicenseKit refuses the token',
    'The license server does not accept the token of this connection. Enter a new one in the console.',
    'console',
  ],
  LICENSEKIT_NOT_CONFIGURED: [
    'No license server yet',
    'This connection has no license server. Enter its address and token in the console.',
    'console',
  ],
  SIGNATURE_INVALID: [
    'The request was not accepted',
    'Stripe’s signature on the request was not accepted. Reload the page; if it stays so, ask the operator of the service to compare the app’s signing secret.',
    'retry',
  ],
  NONCE_REPEATED: [
    'This was already sent',
    'The same request came twice and was carried out once. Reload to see the present state.',
    'retry',
  ],
  ROLE_NOT_ALLOWED: [
    'Your role does not allow this',
    'Ask an administrator of this Stripe account to do it, or to change your role.',
    'none',
  ],
  KEY_MAIL_OFF: [
    'Mail to buyers is off',
    'Switch on mail to buyers in the console, then the key can be sent again from here.',
    'console',
  ],
  KEY_MAIL_LIMIT: [
    'The key was sent often enough',
    'A key is mailed again at most five times. Reveal it in the console to hand it over another way.',
    'console',
  ],
  NO_DISPUTE: ['No dispute', 'This payment has no dispute that could be answered.', 'none'],
  DISPUTE_NOT_OPEN: [
    'The dispute is not open',
    'Stripe takes no evidence for this dispute any more.',
    'none',
  ],
  MANAGED_BY_STRIPE: [
    'Stripe answers this dispute',
    'Stripe is the merchant of record of this sale, and answers the dispute itself.',
    'none',
  ],
  RATE_LIMITED: ['A little too fast', 'Too many requests came from this account. Try again in a moment.', 'retry'],
  LICENSEKIT_UNAVAILABLE: [
    'The license server is away',
    'It did not answer in time. Reload to see whether anything was changed, then try again.',
    'retry',
  ],
  STRIPE_UNAVAILABLE: ['Stripe did not answer', 'Stripe did not answer the service in time. Try again in a moment.', 'retry'],
  STORAGE_UNAVAILABLE: ['The service is away', 'It cannot reach its storage. Try again in a moment.', 'retry'],
  UNREACHABLE: [
    'The license service cannot be reached',
    'No answer came back. Check your connection, then try again.',
    'retry',
  ],
  NOT_SIGNED: [
    'Stripe did not sign the request',
    'The Dashboard could not vouch for you. Reload the page and try again.',
    'retry',
  ],
};

const other: Words = [
  'The license service refused this',
  'The answer was not one that this view knows. Try again; if it stays so, send the request id to support.',
  'retry',
];

/** The problem that a code stands for. A detail that the service gave is added where it says more. */
export function problem(code: string, detail: string | null = null, requestID: string | null = null): Problem {
  const words = known[code];
  const [title, sentence, wayOn] = words ?? other;
  const said = words === undefined && detail !== null ? `${sentence} It said: ${detail}.` : sentence;
  return { code, title, sentence: said, wayOn, requestID };
}
