import React, { useMemo, useState } from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { Accordion, AccordionItem, Banner, Box, Button, ContextView, Inline } from '@stripe/ui-extension-sdk/ui';
import { backend } from '../backend/client';
import type { ObjectKind, ObjectView } from '../backend/wire';
import { useLoaded } from '../state/useLoaded';
import { isOpen } from '../words/disputes';
import { brand } from './brand';
import type { Question } from './Confirmation';
import { Confirmation } from './Confirmation';
import { Empty } from './Empty';
import { EvidencePanel } from './EvidencePanel';
import { Failure } from './Failure';
import { LicenseCard } from './LicenseCard';
import { Loading } from './Loading';
import { Stale, TestMode } from './Notes';
import { SaleList } from './SaleList';
import { TimelineList } from './TimelineList';

/** The licenses beside a customer, a subscription, an invoice or a payment. */
export function ObjectPanel({ kind, ...context }: ExtensionContextValue & { readonly kind: ObjectKind }) {
  const { userContext, environment } = context;
  const service = useMemo(
    () => backend({ userContext, environment }),
    [userContext, environment],
  );
  const object = environment.objectContext?.id ?? '';
  const isTest = environment.mode === 'test';
  const [state, reload] = useLoaded<ObjectView>(`${kind} ${object} ${environment.mode}`, () =>
    service.read(kind, { [kind]: object }),
  );
  const [question, setQuestion] = useState<Question | null>(null);
  const [showsEvidence, setShowsEvidence] = useState(false);
  const links = {
    connectURL: service.page(`/stripe/oauth/install?mode=${environment.mode}`),
    consoleURL: state.phase === 'loaded' ? state.data.console_url : service.page('/stripe/console/'),
  };

  return (
    <ContextView
      title="Licenses"
      {...brand}
      externalLink={{ label: 'Open LicenseKit', href: links.consoleURL }}
    >
      <Box css={{ stack: 'y', gap: 'large' }}>
        <TestMode isTest={isTest} />
        {state.phase === 'loading' && <Loading what="licenses" />}
        {state.phase === 'failed' && <Failure problem={state.problem} onRetry={reload} {...links} />}
        {state.phase === 'loaded' && (
          <Loaded
            view={state.data}
            onAsk={setQuestion}
            onEvidence={() => setShowsEvidence(true)}
            onReload={reload}
            notes={<Stale isStale={state.data.stale} problem={state.problem} onRetry={reload} />}
          />
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
      {showsEvidence && (
        <EvidencePanel
          payment={object}
          backend={service}
          onClose={() => setShowsEvidence(false)}
          {...links}
        />
      )}
    </ContextView>
  );
}

function Loaded({
  view,
  notes,
  onAsk,
  onEvidence,
  onReload,
}: {
  readonly view: ObjectView;
  readonly notes: React.ReactNode;
  readonly onAsk: (question: Question) => void;
  readonly onEvidence: () => void;
  readonly onReload: () => void;
}) {
  const now = new Date();
  const dispute = view.disputes.find((one) => isOpen(one.status));
  return (
    <>
      {notes}
      {dispute !== undefined && (
        <Banner
          type="critical"
          title="This payment is disputed"
          description="Delivery, activations and use are on record here, ready to answer it."
          actions={
            <Button size="small" type="primary" onPress={onEvidence}>
              Prepare evidence
            </Button>
          }
        />
      )}
      {view.licenses.length === 0 && <Empty view={view} onReload={onReload} />}
      {view.licenses.map((license) => (
        <LicenseCard
          key={license.id}
          license={license}
          may={view.may}
          keyMail={view.key_mail}
          now={now}
          onAsk={onAsk}
        />
      ))}
      {view.more_licenses && (
        <Inline css={{ font: 'caption', color: 'secondary' }}>There are more licenses; the console has them all.</Inline>
      )}
      {view.fulfillments.length > 0 && (
        <Accordion>
          <AccordionItem title="Sales" subtitle={String(view.fulfillments.length)}>
            <SaleList fulfillments={view.fulfillments} />
          </AccordionItem>
          {view.timeline.length > 0 && (
            <AccordionItem title="Timeline" subtitle="What happened and why">
              <TimelineList entries={view.timeline} />
            </AccordionItem>
          )}
        </Accordion>
      )}
    </>
  );
}
