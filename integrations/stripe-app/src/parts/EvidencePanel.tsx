import React, { useState } from 'react';
import { Badge, Banner, Box, Button, Checkbox, Divider, FocusView, Inline, Link } from '@stripe/ui-extension-sdk/ui';
import type { Backend } from '../backend/client';
import type { Evidence, EvidenceField } from '../backend/wire';
import { useAction } from '../state/useAction';
import { useLoaded } from '../state/useLoaded';
import { day, moment, until } from '../words/dates';
import { field, reason } from '../words/disputes';
import { money } from '../words/money';
import { Failure } from './Failure';
import { Loading } from './Loading';
import { Stale } from './Notes';

interface Properties {
  readonly payment: string;
  readonly backend: Backend;
  readonly connectURL: string;
  readonly consoleURL: string;
  readonly onClose: () => void;
}

/** Everything on record that answers a dispute, to look through and to put on it as a draft. */
export function EvidencePanel({ payment, backend, onClose, ...links }: Properties) {
  const [state, reload] = useLoaded<Evidence>(payment, () => backend.read('evidence', { payment }));
  const [replaces, setReplaces] = useState(false);
  const [isConfirming, setConfirming] = useState(false);
  const [isStaged, setStaged] = useState(false);
  const action = useAction('Evidence saved as a draft', () => {
    setStaged(true);
    setConfirming(false);
    reload();
  });
  const evidence = state.phase === 'loaded' ? state.data : null;
  const canStage = evidence !== null && evidence.dispute.is_answerable && evidence.may.includes('stage_evidence');

  const stage = () => {
    if (evidence === null) return;
    action.run(() => backend.act('stage_evidence', evidence.dispute.id, { payment, replace: replaces }));
  };
  const primary = isConfirming ? (
    <Button type="primary" pending={action.isPending} onPress={stage}>
      Save as draft
    </Button>
  ) : (
    <Button type="primary" disabled={!canStage} onPress={() => setConfirming(true)}>
      Add to the dispute
    </Button>
  );
  const secondary = isConfirming ? (
    <Button disabled={action.isPending} onPress={() => setConfirming(false)}>
      Back
    </Button>
  ) : (
    <Button onPress={onClose}>Close</Button>
  );

  return (
    <FocusView title="Dispute evidence" shown onClose={onClose} primaryAction={primary} secondaryAction={secondary}>
      <Box css={{ stack: 'y', gap: 'large' }}>
        {state.phase === 'loading' && <Loading what="evidence" />}
        {state.phase === 'failed' && <Failure problem={state.problem} onRetry={reload} {...links} />}
        {action.problem !== null && <Failure problem={action.problem} {...links} />}
        {isStaged && !isConfirming && (
          <Banner
            title="Saved as a draft"
            description="The evidence is on the dispute and was not submitted. Look it over in Stripe and submit it there before it is due."
          />
        )}
        {evidence !== null && state.phase === 'loaded' && (
          <>
            <Stale isStale={evidence.stale} problem={state.problem} onRetry={reload} />
            {isConfirming ? (
              <Confirming evidence={evidence} replaces={replaces} onReplaces={setReplaces} />
            ) : (
              <Contents evidence={evidence} canStage={canStage} />
            )}
          </>
        )}
      </Box>
    </FocusView>
  );
}

function Contents({ evidence, canStage }: { readonly evidence: Evidence; readonly canStage: boolean }) {
  const { dispute } = evidence;
  return (
    <>
      <Box css={{ stack: 'y', gap: 'xsmall' }}>
        <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center' }}>
          <Inline css={{ font: 'subheading' }}>{money(dispute.amount, dispute.currency)}</Inline>
          <Badge type="negative">{reason(dispute.reason)}</Badge>
        </Box>
        <Inline css={{ font: 'caption', color: 'secondary' }}>
          {dispute.due_by === null
            ? `Dispute ${dispute.id}`
            : `Answer due ${day(dispute.due_by)}, ${until(dispute.due_by, new Date())}`}
        </Inline>
      </Box>
      {!canStage && (
        <Banner
          title={
            dispute.is_managed
              ? 'Stripe answers this dispute'
              : dispute.is_answerable
                ? 'For reading only'
                : 'The dispute is not open'
          }
          description={
            dispute.is_managed
              ? 'Stripe is the merchant of record of this sale, and answers the dispute itself. The record stays here.'
              : dispute.is_answerable
                ? 'Your role does not allow adding evidence. An administrator or a dispute analyst can.'
                : 'Stripe takes no evidence for it any more. The record stays here.'
          }
        />
      )}
      {evidence.sections.map((section) => (
        <Box key={section.title} css={{ stack: 'y', gap: 'small' }}>
          <Inline css={{ font: 'bodyEmphasized' }}>{section.title}</Inline>
          {section.facts.map((fact, place) => (
            <Box key={place} css={{ stack: 'y' }}>
              <Inline css={{ wordBreak: 'break-word' }}>{fact.text}</Inline>
              {fact.at !== null && <Inline css={{ font: 'caption', color: 'secondary' }}>{moment(fact.at)}</Inline>}
            </Box>
          ))}
        </Box>
      ))}
      <Divider />
      <Link href={evidence.document_url} target="_blank" external>
        Open as PDF
      </Link>
    </>
  );
}

function Confirming({
  evidence,
  replaces,
  onReplaces,
}: {
  readonly evidence: Evidence;
  readonly replaces: boolean;
  readonly onReplaces: (replaces: boolean) => void;
}) {
  const filled = evidence.fields.filter((one) => one.current !== null && one.current !== one.text);
  return (
    <>
      <Inline>
        These fields are saved on the dispute as a draft, with the PDF attached. Nothing is submitted to the bank: you
        submit it in Stripe when you have looked it over.
      </Inline>
      {filled.length > 0 && (
        <Checkbox
          label="Replace what is already written"
          description={`Already written: ${filled.map((one) => field(one.name)).join(', ')}. Without this they stay as they are.`}
          defaultChecked={replaces}
          onChange={(event) => onReplaces(event.target.checked)}
        />
      )}
      {evidence.fields.map((one) => (
        <Field key={one.name} field={one} replaces={replaces} />
      ))}
    </>
  );
}

function Field({ field: one, replaces }: { readonly field: EvidenceField; readonly replaces: boolean }) {
  const stays = one.current !== null && !replaces;
  return (
    <Box css={{ stack: 'y', gap: 'xsmall' }}>
      <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center' }}>
        <Inline css={{ font: 'bodyEmphasized' }}>{field(one.name)}</Inline>
        {stays && <Badge>Stays as it is</Badge>}
      </Box>
      <Box css={{ padding: 'small', background: 'container', borderRadius: 'small', wordBreak: 'break-word' }}>
        <Inline css={{ font: 'caption', color: stays ? 'disabled' : 'primary' }}>{stays ? one.current : one.text}</Inline>
      </Box>
    </Box>
  );
}
