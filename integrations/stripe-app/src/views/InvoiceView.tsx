import React from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { ObjectPanel } from '../parts/ObjectPanel';

/** Beside an invoice in the Dashboard. */
const InvoiceView = (context: ExtensionContextValue) => <ObjectPanel kind="invoice" {...context} />;

export default InvoiceView;
