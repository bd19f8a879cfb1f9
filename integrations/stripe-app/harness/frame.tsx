/** The inside of the sandboxed frame: one view, as the Dashboard would render it. */
import React from 'react';
import { createRoot } from 'react-dom/client';
import AppSettings from '../src/views/AppSettings';
import CustomerView from '../src/views/CustomerView';
import InvoiceView from '../src/views/InvoiceView';
import Onboarding from '../src/views/Onboarding';
import PaymentView from '../src/views/PaymentView';
import SubscriptionView from '../src/views/SubscriptionView';
import { scene } from './scene';

const views = { AppSettings, CustomerView, InvoiceView, Onboarding, PaymentView, SubscriptionView };

const { view, context } = scene();
const View = views[view as keyof typeof views];
const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root');
createRoot(root).render(<View {...context} />);
