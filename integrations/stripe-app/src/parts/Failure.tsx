import React from 'react';
import { Banner, Box, Button, Inline } from '@stripe/ui-extension-sdk/ui';
import type { Problem } from '../backend/problem';

interface Properties {
  readonly problem: Problem;
  readonly onRetry?: () => void;
  /** Where the account is connected. */
  readonly connectURL: string;
  readonly consoleURL: string;
}

/** What went wrong, and the way on. */
export function Failure({ problem, onRetry, connectURL, consoleURL }: Properties) {
  return (
    <Banner
      type={problem.wayOn === 'connect' ? 'caution' : 'critical'}
      title={problem.title}
      description={
        <Box css={{ stack: 'y', gap: 'xsmall' }}>
          <Inline>{problem.sentence}</Inline>
          {problem.requestID !== null && (
            <Inline css={{ font: 'caption', color: 'secondary' }}>Request {problem.requestID}</Inline>
          )}
        </Box>
      }
      actions={<WayOn {...{ problem, connectURL, consoleURL, ...(onRetry === undefined ? {} : { onRetry }) }} />}
    />
  );
}

function WayOn({ problem, onRetry, connectURL, consoleURL }: Properties) {
  const retry = onRetry === undefined ? null : <Button size="small" onPress={onRetry}>Try again</Button>;
  switch (problem.wayOn) {
    case 'connect':
      return (
        <Box css={{ stack: 'x', gap: 'small' }}>
          <Button size="small" type="primary" href={connectURL} target="_blank">
            Connect with Stripe
          </Button>
          {retry}
        </Box>
      );
    case 'console':
      return (
        <Box css={{ stack: 'x', gap: 'small' }}>
          <Button size="small" type="primary" href={consoleURL} target="_blank">
            Open the console
          </Button>
          {retry}
        </Box>
      );
    case 'retry':
      return retry;
    case 'none':
      return null;
  }
}
