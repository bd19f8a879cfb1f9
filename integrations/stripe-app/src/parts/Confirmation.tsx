import React from 'react';
import { Box, Button, FocusView, Inline } from '@stripe/ui-extension-sdk/ui';
import type { Backend, Fields } from '../backend/client';
import type { Operation } from '../backend/wire';
import { useAction } from '../state/useAction';
import { Failure } from './Failure';

/** Something that is asked before it is done. */
export interface Question {
  readonly operation: Operation;
  readonly object: string;
  readonly fields?: Fields;
  readonly title: string;
  readonly sentence: string;
  /** What stands on the button. */
  readonly verb: string;
  /** What the Dashboard confirms afterwards; at most 30 characters. */
  readonly toast: string;
  readonly isDestructive: boolean;
}

interface Properties {
  readonly question: Question | null;
  readonly backend: Backend;
  readonly connectURL: string;
  readonly consoleURL: string;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Asks, does, and says how it went. Nothing is sent before the second press. */
export function Confirmation({ question, ...rest }: Properties) {
  if (question === null) return null;
  return <Asked key={`${question.operation} ${question.object}`} question={question} {...rest} />;
}

function Asked({
  question,
  backend,
  connectURL,
  consoleURL,
  onClose,
  onDone,
}: Properties & { readonly question: Question }) {
  const action = useAction(question.toast, onDone);
  const run = () => action.run(() => backend.act(question.operation, question.object, question.fields));
  return (
    <FocusView
      title={question.title}
      shown
      onClose={onClose}
      primaryAction={
        <Button type={question.isDestructive ? 'destructive' : 'primary'} pending={action.isPending} onPress={run}>
          {question.verb}
        </Button>
      }
      secondaryAction={
        <Button disabled={action.isPending} onPress={onClose}>
          Cancel
        </Button>
      }
    >
      <Box css={{ stack: 'y', gap: 'large' }}>
        <Inline>{question.sentence}</Inline>
        {action.problem !== null && <Failure problem={action.problem} {...{ connectURL, consoleURL }} />}
      </Box>
    </FocusView>
  );
}
