import React from 'react';
import { Box, Inline } from '@stripe/ui-extension-sdk/ui';
import type { TimelineEntry } from '../backend/wire';
import { moment } from '../words/dates';
import { kind } from '../words/timeline';

/** What happened, the newest first. */
export function TimelineList({ entries }: { readonly entries: readonly TimelineEntry[] }) {
  return (
    <Box css={{ stack: 'y', gap: 'medium' }}>
      {entries.map((entry, place) => (
        <Box key={`${entry.at} ${place}`} css={{ stack: 'y' }}>
          <Inline css={entry.state === 'failed' ? { color: 'critical' } : {}}>{entry.title}</Inline>
          {entry.detail !== null && (
            <Inline css={{ font: 'caption', color: 'secondary', wordBreak: 'break-word' }}>{entry.detail}</Inline>
          )}
          <Inline css={{ font: 'caption', color: 'secondary' }}>
            {moment(entry.at)} · {kind(entry)}
          </Inline>
        </Box>
      ))}
    </Box>
  );
}
