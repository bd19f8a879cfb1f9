import React from 'react';
import { Box, Inline, Spinner } from '@stripe/ui-extension-sdk/ui';

/** Until the first answer is there. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <Box css={{ stack: 'y', alignX: 'center', gap: 'medium', paddingY: 'xxlarge' }}>
      <Spinner size="large" />
      <Inline css={{ color: 'secondary' }}>Loading {what}…</Inline>
    </Box>
  );
}
