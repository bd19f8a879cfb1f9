/** Disputes and Stripe's evidence fields in plain words. */

import { sentence } from './licenses';

const fields: Readonly<Record<string, string>> = {
  product_description: 'Product description',
  customer_name: 'Customer name',
  customer_email_address: 'Customer email',
  customer_purchase_ip: 'Customer IP address',
  service_date: 'Service date',
  access_activity_log: 'Activity log',
  uncategorized_text: 'Additional information',
  service_documentation: 'Service documentation',
};

/** The name that the Dashboard has for a field. */
export function field(name: string): string {
  return fields[name] ?? sentence(name);
}

const reasons: Readonly<Record<string, string>> = {
  fraudulent: 'Fraudulent',
  product_not_received: 'Product not received',
  product_unacceptable: 'Product unacceptable',
  subscription_canceled: 'Subscription canceled',
  credit_not_processed: 'Credit not processed',
  duplicate: 'Duplicate',
  unrecognized: 'Unrecognized',
  general: 'General',
};

export function reason(word: string): string {
  return reasons[word] ?? sentence(word);
}

/** Whether evidence can still be given. Stripe's words for an inquiry begin with `warning_`. */
export function isOpen(status: string): boolean {
  return status === 'needs_response' || status === 'warning_needs_response';
}
