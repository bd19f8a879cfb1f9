/** What is asked before each action, and what it means for the buyer. */

import type { Device, License } from '../backend/wire';
import { named } from '../words/licenses';
import type { Question } from './Confirmation';

export function resendKey(license: License): Question {
  return {
    operation: 'resend_key',
    object: license.id,
    title: 'Send the key again?',
    sentence: `The buyer gets one more mail with the license key of ${named(license.product)}, at the address that Stripe has for the purchase.`,
    verb: 'Send key',
    toast: 'The key is on its way',
    isDestructive: false,
  };
}

export function suspend(license: License): Question {
  return {
    operation: 'suspend_license',
    object: license.id,
    title: 'Suspend this license?',
    sentence: `${named(license.product)} stops working for the buyer at its next check. The license stays suspended, whatever is paid, until it is reinstated here or at LicenseKit.`,
    verb: 'Suspend license',
    toast: 'License suspended',
    isDestructive: true,
  };
}

export function reinstate(license: License): Question {
  return {
    operation: 'reinstate_license',
    object: license.id,
    title: 'Reinstate this license?',
    sentence: `${named(license.product)} works for the buyer again at its next check, also while the payment is disputed or overdue.`,
    verb: 'Reinstate license',
    toast: 'License reinstated',
    isDestructive: false,
  };
}

export function resetDevice(license: License, device: Device): Question {
  const name = device.hostname ?? device.id;
  return {
    operation: 'reset_device',
    object: device.id,
    fields: { license: license.id },
    title: 'Reset this device?',
    sentence: `${name} loses its place, and another device can take it. ${name} may activate again while there is room.`,
    verb: 'Reset device',
    toast: 'Device reset',
    isDestructive: true,
  };
}
