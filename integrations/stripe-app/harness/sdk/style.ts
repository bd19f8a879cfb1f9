/** The `css` property of the SDK's layout components as plain inline styles. */

import type { CSSProperties } from 'react';
import type { Space, Style } from '@stripe/ui-extension-sdk/ui';

const spaces: Readonly<Record<Exclude<Space, 0>, number>> = {
  none: 0, xsmall: 4, small: 8, medium: 16, large: 24, xlarge: 32, xxlarge: 48,
};
const colors = {
  primary: '#353a44', secondary: '#687385', disabled: '#a3acb9', info: '#0055bc', success: '#217005',
  attention: '#a82c00', critical: '#c0123c',
};
const backgrounds = {
  surface: '#ffffff', container: '#f5f6f8', offset: '#ebeef1', info: '#0570de', success: '#3fa40d',
  attention: '#ed6704', critical: '#df1b41',
};
const fonts: Readonly<Record<NonNullable<Style['font']>, CSSProperties>> = {
  body: { fontSize: 14, lineHeight: '20px' },
  bodyEmphasized: { fontSize: 14, lineHeight: '20px', fontWeight: 600 },
  caption: { fontSize: 12, lineHeight: '16px' },
  heading: { fontSize: 16, lineHeight: '24px', fontWeight: 600 },
  subheading: { fontSize: 14, lineHeight: '20px', fontWeight: 600 },
  subtitle: { fontSize: 16, lineHeight: '24px' },
  title: { fontSize: 24, lineHeight: '32px', fontWeight: 700 },
  lead: { fontSize: 16, lineHeight: '24px' },
};
const across = { start: 'flex-start', center: 'center', end: 'flex-end', stretch: 'stretch' };
const upright = { top: 'flex-start', center: 'center', baseline: 'baseline', bottom: 'flex-end', stretch: 'stretch' };

function space(value: Space | undefined): number | undefined {
  return value === undefined ? undefined : value === 0 ? 0 : spaces[value];
}

/** Leaves out what is not said. */
function only(style: Record<string, unknown>): CSSProperties {
  return Object.fromEntries(Object.entries(style).filter(([, value]) => value !== undefined)) as CSSProperties;
}

export function inline(css: Style = {}): CSSProperties {
  const isRow = css.stack === 'x';
  const background = css.background ?? css.backgroundColor;
  return only({
    display: css.stack === undefined ? undefined : 'flex',
    flexDirection: css.stack === undefined ? undefined : isRow ? 'row' : 'column',
    flexWrap: css.wrap,
    gap: space(css.gap),
    justifyContent: css.distribute === 'space-between' ? 'space-between' : undefined,
    alignItems: isRow
      ? css.alignY === undefined ? undefined : upright[css.alignY]
      : css.alignX === undefined ? undefined : across[css.alignX],
    padding: space(css.padding),
    paddingInline: space(css.paddingX),
    paddingBlock: space(css.paddingY),
    margin: space(css.margin),
    marginTop: space(css.marginTop),
    marginBottom: space(css.marginBottom),
    marginBlock: space(css.marginY),
    width: css.width === 'fill' ? '100%' : css.width === 'fit' ? 'fit-content' : twelfths(css.width),
    height: css.height,
    ...(css.font === undefined ? {} : fonts[css.font]),
    fontFamily: css.fontFamily === 'monospace' ? 'var(--monospace)' : undefined,
    ...(css.fontWeight === undefined ? {} : { fontWeight: { regular: 400, semibold: 600, bold: 700 }[css.fontWeight] }),
    color: css.color === undefined ? undefined : colors[css.color],
    background: background === undefined ? undefined : backgrounds[background],
    border: css.keyline === undefined ? undefined : `1px solid ${css.keyline === 'critical' ? '#df1b41' : '#d8dee4'}`,
    borderRadius: css.borderRadius === undefined ? undefined : { none: 0, xsmall: 2, small: 4, medium: 8, rounded: 99 }[css.borderRadius],
    overflow: css.overflow,
    overflowWrap: css.wordBreak === 'break-word' ? 'anywhere' : undefined,
    wordBreak: css.wordBreak === 'break-all' ? 'break-all' : undefined,
    textAlign: css.textAlign,
    whiteSpace: css.wordBreak === 'break-word' ? 'pre-wrap' : undefined,
  });
}

function twelfths(width: Style['width']): string | undefined {
  return width === undefined ? undefined : `${(Number.parseInt(width, 10) / 12) * 100}%`;
}
