import React from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { ObjectPanel } from '../parts/ObjectPanel';

/** Beside a customer in the Dashboard. */
const CustomerView = (context: ExtensionContextValue) => <ObjectPanel kind="customer" {...context} />;

export default CustomerView;
