import React from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { ObjectPanel } from '../parts/ObjectPanel';

/** Beside a subscription in the Dashboard. */
const SubscriptionView = (context: ExtensionContextValue) => <ObjectPanel kind="subscription" {...context} />;

export default SubscriptionView;
