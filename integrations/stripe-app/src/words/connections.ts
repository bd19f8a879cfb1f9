/** The state of a connection in plain words. */

import type { PendingApproval, Settings } from '../backend/wire';
import type { Label } from './licenses';

export function connection(connection: Settings['connection']): Label {
  if (connection.status === 'connected' && connection.parked_reason !== null) {
    return { text: 'Needs attention', tone: 'warning' };
  }
  if (connection.status === 'connected' && connection.pending_approval !== null) {
    return { text: 'Waits for your approval', tone: 'warning' };
  }
  switch (connection.status) {
    case 'connected':
      return { text: 'Connected', tone: 'positive' };
    case 'pending':
      return { text: 'Not finished', tone: 'warning' };
    case 'disconnected':
      return { text: 'Not connected', tone: 'neutral' };
  }
}

/** What the app asks for, for whoever can approve it. */
export function approval(pending: PendingApproval): string {
  const asked = [...pending.permissions, ...pending.endpoints];
  const what = asked.length === 0 ? 'its new version' : asked.join(', ');
  return `Approve in Apps, Installed apps: ${what}. What needs it fails until then.`;
}
