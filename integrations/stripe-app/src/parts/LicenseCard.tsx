import React from 'react';
import { Badge, Box, Button, Divider, Inline, Link, PropertyList, PropertyListItem } from '@stripe/ui-extension-sdk/ui';
import type { Device, License, Operation } from '../backend/wire';
import { ago } from '../words/dates';
import { byHand, devices, expiry, named, status } from '../words/licenses';
import type { Question } from './Confirmation';
import * as questions from './questions';
import { UsageBars } from './UsageBars';

interface Properties {
  readonly license: License;
  readonly may: readonly Operation[];
  readonly keyMail: 'on' | 'off';
  readonly now: Date;
  readonly onAsk: (question: Question) => void;
}

/** One license: what it is, until when, where it runs, what is used of it, and what can be done. */
export function LicenseCard({ license, may, keyMail, now, onAsk }: Properties) {
  const label = status(license.status);
  const note = byHand(license);
  return (
    <Box css={{ stack: 'y', gap: 'medium', padding: 'medium', keyline: 'neutral', borderRadius: 'medium' }}>
      <Box css={{ stack: 'y', gap: 'xsmall' }}>
        <Box css={{ stack: 'x', distribute: 'space-between', alignY: 'center', gap: 'small' }}>
          <Inline css={{ font: 'subheading' }}>{named(license.product)}</Inline>
          <Badge type={label.tone}>{label.text}</Badge>
        </Box>
        <Inline css={{ font: 'caption', color: 'secondary' }}>
          {named(license.policy)} · {expiry(license, now)}
        </Inline>
        {note !== null && <Inline css={{ font: 'caption', color: 'attention' }}>{note}</Inline>}
      </Box>
      <PropertyList orientation="horizontal">
        <PropertyListItem
          label="Key"
          value={<Inline css={{ fontFamily: 'monospace' }}>{license.key_hint ?? 'Not known'}</Inline>}
        />
        <PropertyListItem label="Devices" value={devices(license)} />
      </PropertyList>
      {license.devices.length > 0 && <Devices {...{ license, may, now, onAsk }} />}
      {license.usage.length > 0 && <UsageBars usage={license.usage} />}
      <Divider />
      <Actions {...{ license, may, keyMail, onAsk }} />
    </Box>
  );
}

function Devices({ license, may, now, onAsk }: Omit<Properties, 'keyMail'>) {
  const more = (license.active_device_count ?? 0) - license.devices.length;
  return (
    <Box css={{ stack: 'y', gap: 'small' }}>
      {license.devices.map((device) => (
        <Box key={device.id} css={{ stack: 'x', distribute: 'space-between', alignY: 'center', gap: 'small' }}>
          <Box css={{ stack: 'y' }}>
            <Inline>{device.hostname ?? device.id}</Inline>
            <Inline css={{ font: 'caption', color: 'secondary' }}>{about(device, now)}</Inline>
          </Box>
          {may.includes('reset_device') && (
            <Button
              size="small"
              aria-label={`Reset ${device.hostname ?? device.id}`}
              onPress={() => onAsk(questions.resetDevice(license, device))}
            >
              Reset
            </Button>
          )}
        </Box>
      ))}
      {more > 0 && <Inline css={{ font: 'caption', color: 'secondary' }}>and {more} more at LicenseKit</Inline>}
    </Box>
  );
}

function about(device: Device, now: Date): string {
  const seen = `seen ${ago(device.last_seen_at, now)}`;
  return device.os === null ? `Last ${seen}` : `${device.os} · ${seen}`;
}

function Actions({ license, may, keyMail, onAsk }: Omit<Properties, 'now'>) {
  const isActive = license.status === 'active' || license.status === 'grace_period';
  const canResend = may.includes('resend_key') && keyMail === 'on' && license.status !== 'revoked';
  return (
    <Box css={{ stack: 'x', gap: 'small', alignY: 'center', distribute: 'space-between', wrap: 'wrap' }}>
      <Box css={{ stack: 'x', gap: 'small' }}>
        {canResend && (
          <Button size="small" onPress={() => onAsk(questions.resendKey(license))}>
            Resend key
          </Button>
        )}
        {isActive && may.includes('suspend_license') && (
          <Button size="small" type="destructive" onPress={() => onAsk(questions.suspend(license))}>
            Suspend
          </Button>
        )}
        {license.status === 'suspended' && may.includes('reinstate_license') && (
          <Button size="small" type="primary" onPress={() => onAsk(questions.reinstate(license))}>
            Reinstate
          </Button>
        )}
      </Box>
      <Link href={license.url} target="_blank" external>
        Details
      </Link>
    </Box>
  );
}
