import React from 'react';
import { Box, Button, Inline } from '@stripe/ui-extension-sdk/ui';
import type { ObjectView } from '../backend/wire';
import { emptiness } from '../words/fulfillments';

/** No license: why, and what would change that. */
export function Empty({ view, onReload }: { readonly view: ObjectView; readonly onReload: () => void }) {
  const reason = emptiness(view);
  return (
    <Box
      css={{ stack: 'y', gap: 'medium', alignX: 'center', padding: 'large', background: 'container', borderRadius: 'medium' }}
    >
      <Box css={{ stack: 'y', gap: 'small', alignX: 'center', textAlign: 'center' }}>
        <Inline css={{ font: 'subheading' }}>{reason.title}</Inline>
        <Inline css={{ color: 'secondary', textAlign: 'center' }}>{reason.sentence}</Inline>
      </Box>
      <Box css={{ stack: 'x', gap: 'small' }}>
        {reason.fix !== null && (
          <Button type="primary" size="small" href={view.console_url} target="_blank">
            {reason.fix}
          </Button>
        )}
        <Button size="small" onPress={onReload}>
          Reload
        </Button>
      </Box>
    </Box>
  );
}
