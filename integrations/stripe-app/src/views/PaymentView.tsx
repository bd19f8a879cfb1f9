import React from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { ObjectPanel } from '../parts/ObjectPanel';

/** Beside a payment in the Dashboard. */
const PaymentView = (context: ExtensionContextValue) => <ObjectPanel kind="payment" {...context} />;

export default PaymentView;
