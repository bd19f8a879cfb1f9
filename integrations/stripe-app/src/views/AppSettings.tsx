import React, { useMemo, useState } from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { Badge, Banner, Box, Button, Divider, Inline, Link, PropertyList, PropertyListItem, Select, SettingsView } from '@stripe/ui-extension-sdk/ui';
import { backend } from '../backend/client';
import type { Settings } from '../backend/wire';
import type { Question } from '../parts/Confirmation';
import { Confirmation } from '../parts/Confirmation';
import { Failure } from '../parts/Failure';
import { Loading } from '../parts/Loading';
import { MappingList } from '../parts/MappingList';
import { Stale, TestMode } from '../parts/Notes';
import { useAction } from '../state/useAction';
import { useLoaded } from '../state/useLoaded';
import { day } from '../words/dates';
import { approval, connection } from '../words/connections';

/** The page of the app in the Dashboard's settings: the connection, what is sold as what, and the account's choices. */
const AppSettings = ({ userContext, environment }: ExtensionContextValue) => {
  const service = useMemo(() => backend({ userContext, environment }), [userContext, environment]);
  const [state, reload] = useLoaded<Settings>(`settings ${environment.mode}`, () => service.read('settings'));
  const [question, setQuestion] = useState<Question | null>(null);
  const [isSaved, setSaved] = useState(false);
  const save = useAction('Settings saved', () => {
    setSaved(true);
    reload();
  });
  const settings = state.phase === 'loaded' ? state.data : null;
  const links = {
    connectURL: settings?.install_url ?? service.page(`/stripe/oauth/install?mode=${environment.mode}`),
    consoleURL: settings?.console_url ?? service.page('/stripe/console/'),
  };
  const canSave = settings !== null && settings.may.includes('save_settings');
  const onSave = (values: Readonly<Record<string, string>>) => {
    setSaved(false);
    save.run(() =>
      service.act('save_settings', userContext.account.id, {
        bare_payments: values['bare_payments'] === 'on',
        update_customers: values['update_customers'] === 'on',
      }),
    );
  };

  return (
    <SettingsView
      {...(canSave ? { onSave } : {})}
      {...(save.isPending ? { statusMessage: 'Saving…' } : isSaved ? { statusMessage: 'Saved' } : {})}
    >
      <Box css={{ stack: 'y', gap: 'xlarge' }}>
        <TestMode isTest={environment.mode === 'test'} />
        {state.phase === 'loading' && <Loading what="settings" />}
        {state.phase === 'failed' && <Failure problem={state.problem} onRetry={reload} {...links} />}
        {save.problem !== null && <Failure problem={save.problem} {...links} />}
        {settings !== null && state.phase === 'loaded' && (
          <>
            <Stale isStale={false} problem={state.problem} onRetry={reload} />
            <Connection settings={settings} onAsk={setQuestion} {...links} />
            <Divider />
            <MappingList settings={settings} />
            <Divider />
            <Choices settings={settings} isDisabled={!canSave} />
          </>
        )}
      </Box>
      <Confirmation
        question={question}
        backend={service}
        onClose={() => setQuestion(null)}
        onDone={() => {
          setQuestion(null);
          reload();
        }}
        {...links}
      />
    </SettingsView>
  );
};

function Connection({
  settings,
  onAsk,
  connectURL,
  consoleURL,
}: {
  readonly settings: Settings;
  readonly onAsk: (question: Question) => void;
  readonly connectURL: string;
  readonly consoleURL: string;
}) {
  const label = connection(settings.connection);
  const isConnected = settings.connection.status === 'connected';
  return (
    <Box css={{ stack: 'y', gap: 'medium' }}>
      <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center' }}>
        <Inline css={{ font: 'heading' }}>Connection</Inline>
        <Badge type={label.tone}>{label.text}</Badge>
      </Box>
      {settings.connection.parked_reason !== null && (
        <Banner
          type="caution"
          title="Sales are waiting"
          description={settings.connection.parked_detail ?? 'Something must be put right before they go on.'}
        />
      )}
      {settings.connection.pending_approval !== null && (
        <Banner
          type="caution"
          title="The app waits for your approval"
          description={approval(settings.connection.pending_approval)}
        />
      )}
      <PropertyList orientation="horizontal">
        <PropertyListItem label="Stripe account" value={settings.account_id} />
        <PropertyListItem
          label="Connected since"
          value={settings.connection.installed_at === null ? 'Not connected' : day(settings.connection.installed_at)}
        />
        <PropertyListItem label="Mail to buyers" value={settings.key_mail === 'on' ? 'On' : 'Off'} />
        <PropertyListItem label="Sales licensed" value={String(settings.fulfilled)} />
      </PropertyList>
      <Box css={{ stack: 'x', gap: 'small', wrap: 'wrap', alignY: 'center' }}>
        <Button type={isConnected ? 'secondary' : 'primary'} href={connectURL} target="_blank">
          {isConnected ? 'Authorize again' : 'Connect with Stripe'}
        </Button>
        {isConnected && settings.may.includes('disconnect') && (
          <Button type="destructive" onPress={() => onAsk(disconnect(settings))}>
            Disconnect
          </Button>
        )}
        <Link href={consoleURL} target="_blank" external>
          Open the console
        </Link>
      </Box>
    </Box>
  );
}

function disconnect(settings: Settings): Question {
  return {
    operation: 'disconnect',
    object: settings.account_id,
    title: 'Disconnect this account?',
    sentence:
      'LicenseKit deletes its access to this Stripe account at once. Licenses that were issued stay as they are, and no sale is licensed until you connect again. To remove the app itself, uninstall it with the button of this page.',
    verb: 'Disconnect',
    toast: 'Disconnected',
    isDestructive: true,
  };
}

function Choices({ settings, isDisabled }: { readonly settings: Settings; readonly isDisabled: boolean }) {
  return (
    <Box css={{ stack: 'y', gap: 'medium' }}>
      <Box css={{ stack: 'y', gap: 'xsmall' }}>
        <Inline css={{ font: 'heading' }}>Choices for this account</Inline>
        {isDisabled && (
          <Inline css={{ color: 'secondary' }}>Only an administrator of this Stripe account can change them.</Inline>
        )}
      </Box>
      <Select
        label="Payments that your own code creates"
        description="License a payment that names in its metadata what it sells, though no Checkout, invoice or subscription stands behind it."
        name="bare_payments"
        defaultValue={settings.settings.bare_payments ? 'on' : 'off'}
        disabled={isDisabled}
        required
      >
        <option value="off">Give no license</option>
        <option value="on">Give the license that they name</option>
      </Select>
      <Select
        label="A customer’s changed name or email"
        description="Whether the license holder at LicenseKit follows when the customer is edited in Stripe."
        name="update_customers"
        defaultValue={settings.settings.update_customers ? 'on' : 'off'}
        disabled={isDisabled}
        required
      >
        <option value="off">Keep what LicenseKit has</option>
        <option value="on">Follow Stripe</option>
      </Select>
    </Box>
  );
}

export default AppSettings;
