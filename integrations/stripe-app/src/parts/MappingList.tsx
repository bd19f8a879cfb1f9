import React from 'react';
import { Banner, Box, Button, Inline } from '@stripe/ui-extension-sdk/ui';
import type { MappingNote, Settings } from '../backend/wire';
import { named } from '../words/licenses';

const quantities: Readonly<Record<MappingNote['quantity'], string>> = {
  one: 'one license',
  per_unit: 'a license for each unit',
  seats: 'one license with seats',
};

/** What each Stripe product gives, as far as it is chosen. Changed in the console. */
export function MappingList({ settings }: { readonly settings: Settings }) {
  return (
    <Box css={{ stack: 'y', gap: 'medium' }}>
      <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center' }}>
        <Inline css={{ font: 'heading' }}>What your products give</Inline>
        <Button size="small" href={settings.console_url} target="_blank">
          Edit in the console
        </Button>
      </Box>
      {settings.waiting_mapping > 0 && (
        <Banner
          type="caution"
          title={settings.waiting_mapping === 1 ? 'One sale waits for a mapping' : `${settings.waiting_mapping} sales wait for a mapping`}
          description="They are licensed as soon as their product is mapped."
        />
      )}
      {settings.mappings.length === 0 && (
        <Inline css={{ color: 'secondary' }}>
          No product is mapped yet. Choose in the console which license each product gives.
        </Inline>
      )}
      {settings.mappings.map((mapping) => (
        <Box key={mapping.id} css={{ stack: 'y' }}>
          <Inline>
            {named(mapping.product)} · {named(mapping.policy)}
          </Inline>
          <Inline css={{ font: 'caption', color: 'secondary' }}>
            {mapping.stripe_id}, {quantities[mapping.quantity]}
          </Inline>
          {mapping.warning !== null && (
            <Inline css={{ font: 'caption', color: 'attention' }}>{mapping.warning}</Inline>
          )}
        </Box>
      ))}
      {settings.more_mappings && (
        <Inline css={{ font: 'caption', color: 'secondary' }}>There are more; the console has them all.</Inline>
      )}
    </Box>
  );
}
