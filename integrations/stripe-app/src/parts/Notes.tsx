import React from 'react';
import { Badge, Banner, Box, Button, Inline } from '@stripe/ui-extension-sdk/ui';
import type { Problem } from '../backend/problem';

/** In test mode everything says so. */
export function TestMode({ isTest }: { readonly isTest: boolean }) {
  return isTest ? (
    <Box css={{ stack: 'x', gap: 'small', alignY: 'center' }}>
      <Badge type="urgent">Test mode</Badge>
      <Inline css={{ font: 'caption', color: 'secondary' }}>No real sale, no real license.</Inline>
    </Box>
  ) : null;
}

/** What is shown may be old: the license server was not heard, or asking again has failed. */
export function Stale({
  isStale,
  problem,
  onRetry,
}: {
  readonly isStale: boolean;
  readonly problem: Problem | null;
  readonly onRetry: () => void;
}) {
  if (!isStale && problem === null) return null;
  return (
    <Banner
      type="caution"
      title="This may be out of date"
      description={
        problem === null
          ? 'The license server did not answer in time. Licenses are shown as they were last left; devices and usage are not known.'
          : `Asking again did not work: ${problem.sentence}`
      }
      actions={
        <Button size="small" onPress={onRetry}>
          Try again
        </Button>
      }
    />
  );
}
