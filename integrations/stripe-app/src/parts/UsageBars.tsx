import React from 'react';
import { Box, Inline } from '@stripe/ui-extension-sdk/ui';
import type { Usage } from '../backend/wire';
import { amount, feature, level, twelfths } from '../words/usage';

/** Each metered feature with what is used of it. */
export function UsageBars({ usage }: { readonly usage: readonly Usage[] }) {
  return (
    <Box css={{ stack: 'y', gap: 'small' }}>
      {usage.map((one) => (
        <Box key={one.feature_code} css={{ stack: 'y', gap: 'xsmall' }}>
          <Box css={{ stack: 'x', distribute: 'space-between' }}>
            <Inline css={{ font: 'caption' }}>{feature(one)}</Inline>
            <Inline css={{ font: 'caption', color: 'secondary' }}>{amount(one)}</Inline>
          </Box>
          <Bar usage={one} />
        </Box>
      ))}
    </Box>
  );
}

function Bar({ usage }: { readonly usage: Usage }) {
  const filled = twelfths(usage);
  if (filled === null) return null;
  return (
    <Box css={{ width: 'fill', height: 6, background: 'offset', borderRadius: 'rounded', overflow: 'hidden' }}>
      {filled > 0 && (
        <Box css={{ width: `${filled}/12`, height: 6, background: level(usage), borderRadius: 'rounded' }} />
      )}
    </Box>
  );
}
