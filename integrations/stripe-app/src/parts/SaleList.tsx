import React from 'react';
import { Badge, Box, Inline } from '@stripe/ui-extension-sdk/ui';
import type { Fulfillment } from '../backend/wire';
import { status } from '../words/fulfillments';

/** The sales behind an object, each with what became of it. */
export function SaleList({ fulfillments }: { readonly fulfillments: readonly Fulfillment[] }) {
  return (
    <Box css={{ stack: 'y', gap: 'medium' }}>
      {fulfillments.map((one) => {
        const label = status(one.status);
        return (
          <Box key={one.id} css={{ stack: 'y', gap: 'xsmall' }}>
            <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center', gap: 'small' }}>
              <Inline css={{ fontFamily: 'monospace', font: 'caption', wordBreak: 'break-all' }}>{one.stripe_id}</Inline>
              <Badge type={label.tone}>{label.text}</Badge>
            </Box>
            {one.reason !== null && <Inline css={{ font: 'caption', color: 'secondary' }}>{one.reason}</Inline>}
          </Box>
        );
      })}
    </Box>
  );
}
