/**
 * The components of `@stripe/ui-extension-sdk/ui` that these views use, with the properties they use. Written for this
 * project from Stripe's public documentation, so that the views can be type-checked where the SDK is not installed.
 */
import type { FunctionComponent, ReactElement, ReactNode } from 'react';

type Component<Properties> = FunctionComponent<Properties>;

export type Space = 'none' | 'xsmall' | 'small' | 'medium' | 'large' | 'xlarge' | 'xxlarge' | 0;

export interface Style {
  readonly stack?: 'x' | 'y' | 'z';
  readonly gap?: Space;
  readonly distribute?: 'packed' | 'space-between';
  readonly alignX?: 'start' | 'center' | 'end' | 'stretch';
  readonly alignY?: 'top' | 'center' | 'baseline' | 'bottom' | 'stretch';
  readonly wrap?: 'wrap' | 'nowrap';
  readonly padding?: Space;
  readonly paddingX?: Space;
  readonly paddingY?: Space;
  readonly margin?: Space;
  readonly marginTop?: Space;
  readonly marginBottom?: Space;
  readonly marginY?: Space;
  readonly width?: 'fill' | 'fit' | `${number}/12`;
  readonly height?: number;
  readonly font?: 'bodyEmphasized' | 'body' | 'caption' | 'heading' | 'subheading' | 'subtitle' | 'title' | 'lead';
  readonly fontFamily?: 'ui' | 'monospace';
  readonly fontWeight?: 'regular' | 'semibold' | 'bold';
  readonly color?: 'primary' | 'secondary' | 'disabled' | 'info' | 'success' | 'attention' | 'critical';
  readonly background?: 'surface' | 'container' | 'offset' | 'info' | 'success' | 'attention' | 'critical';
  readonly backgroundColor?: 'surface' | 'container' | 'offset' | 'info' | 'success' | 'attention' | 'critical';
  readonly keyline?: 'neutral' | 'critical';
  readonly borderRadius?: 'none' | 'xsmall' | 'small' | 'medium' | 'rounded';
  readonly overflow?: 'hidden' | 'visible' | 'auto' | 'scroll';
  readonly wordBreak?: 'normal' | 'break-all' | 'break-word';
  readonly textAlign?: 'left' | 'center' | 'right';
}

export const Box: Component<{ css?: Style; children?: ReactNode }>;
export const Inline: Component<{ css?: Style; children?: ReactNode }>;
export const Divider: Component<Record<never, never>>;

export const ContextView: Component<{
  title: string;
  description?: string;
  actions?: ReactNode;
  banner?: ReactElement;
  brandColor?: string;
  brandIcon?: string;
  externalLink?: { readonly label: string; readonly href: string };
  footerContent?: ReactNode;
  children?: ReactNode;
}>;

export const FocusView: Component<{
  title: string;
  shown: boolean;
  onClose: () => void;
  primaryAction?: ReactElement;
  secondaryAction?: ReactElement;
  footerContent?: ReactNode;
  children?: ReactNode;
}>;

export const SettingsView: Component<{
  /** With it there is one save button for the whole page; the values are keyed by the fields' names. */
  onSave?: (values: Readonly<Record<string, string>>) => void;
  /** Beside the save button. */
  statusMessage?: string;
  children?: ReactNode;
}>;

export const OnboardingView: Component<{
  title: string;
  description?: string;
  completed?: boolean;
  children?: ReactNode;
}>;

export const TaskList: Component<{ children?: ReactNode }>;
export const TaskListItem: Component<{
  title: string;
  status: 'complete' | 'not-started' | 'in-progress' | 'blocked';
  onPress?: () => void;
  children?: ReactNode;
}>;

export const Badge: Component<{
  type?: 'neutral' | 'info' | 'positive' | 'negative' | 'warning' | 'urgent';
  children?: ReactNode;
}>;

export const Banner: Component<{
  type?: 'default' | 'caution' | 'critical';
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  onDismiss?: () => void;
}>;

export const Button: Component<{
  type?: 'primary' | 'secondary' | 'destructive';
  size?: 'small' | 'medium' | 'large';
  onPress?: () => void;
  href?: string;
  target?: '_blank' | '_self';
  disabled?: boolean;
  pending?: boolean;
  children?: ReactNode;
  'aria-label'?: string;
}>;

export const Link: Component<{
  href?: string;
  onPress?: () => void;
  /** Shows the icon of a link that leaves the Dashboard. */
  external?: boolean;
  target?: '_blank' | '_self';
  type?: 'primary' | 'secondary';
  children?: ReactNode;
}>;

export const List: Component<{
  onAction?: (id: string) => void;
  'aria-label': string;
  children?: ReactNode;
}>;
export const ListItem: Component<{
  id: string;
  title: ReactNode;
  secondaryTitle?: ReactNode;
  value?: ReactNode;
}>;

export const PropertyList: Component<{ orientation?: 'vertical' | 'horizontal'; children?: ReactNode }>;
export const PropertyListItem: Component<{ label: string; value: ReactNode }>;

export const Accordion: Component<{ children?: ReactNode }>;
export const AccordionItem: Component<{
  title: string;
  subtitle?: string;
  defaultOpen?: boolean;
  children?: ReactNode;
}>;

export const Spinner: Component<{ size?: 'small' | 'medium' | 'large'; delay?: number }>;

export const Select: Component<{
  label: string;
  description?: string;
  name: string;
  defaultValue?: string;
  disabled?: boolean;
  required?: boolean;
  children?: ReactNode;
}>;

export const Checkbox: Component<{
  label: string;
  description?: string;
  name?: string;
  defaultChecked?: boolean;
  disabled?: boolean;
  onChange?: (event: { readonly target: { readonly checked: boolean } }) => void;
}>;
