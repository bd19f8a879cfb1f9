/** Currencies without a smaller unit (Stripe docs, "Supported currencies"). */
const whole = new Set([
  'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf',
]);

/** An amount in the smallest unit, as people write it: "49.00 EUR". */
export function money(amount: number, currency: string): string {
  const digits = whole.has(currency.toLowerCase()) ? 0 : 2;
  const text = (amount / 10 ** digits).toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return `${text} ${currency.toUpperCase()}`;
}
