/** The state of a connection in plain words. */

import type { Settings } from '../backend/wire';
import type { Label } from './licenses';

export function connection(connection: Settings['connection']): Label {
  if (connection.status === 'connected' && connection.parked_reason !== null) {
    return { text: 'Needs attention', tone: 'warning' };
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
