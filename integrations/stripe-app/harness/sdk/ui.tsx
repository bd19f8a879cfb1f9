/**
 * Plain HTML in place of the SDK's components: enough of each to be seen and pressed. Used by the tests and by the
 * harness page; the Dashboard brings the real ones.
 */
import React, { useRef } from 'react';
import type * as sdk from '@stripe/ui-extension-sdk/ui';
import { inline } from './style';

export const Box: typeof sdk.Box = ({ css, children }) => <div style={inline(css)}>{children}</div>;
export const Inline: typeof sdk.Inline = ({ css, children }) => <span style={inline(css)}>{children}</span>;
export const Divider: typeof sdk.Divider = () => <hr />;

export const ContextView: typeof sdk.ContextView = ({
  title, description, actions, banner, externalLink, brandColor, footerContent, children,
}) => (
  <section className="view">
    <header className="brand">
      <span className="mark" style={{ background: brandColor ?? '#635bff' }}>LK</span>
      <span>LicenseKit</span>
      {externalLink !== undefined && <Link href={externalLink.href} external>{externalLink.label}</Link>}
    </header>
    <div className="body">
      <h1>{title}</h1>
      {description !== undefined && <p>{description}</p>}
      {actions}
      {banner}
      {children}
    </div>
    {footerContent !== undefined && <footer>{footerContent}</footer>}
  </section>
);

export const FocusView: typeof sdk.FocusView = ({
  title, shown, onClose, primaryAction, secondaryAction, footerContent, children,
}) =>
  shown ? (
    <div className="focus" role="dialog" aria-label={title}>
      <header>
        <button type="button" className="close" aria-label="Close" onClick={onClose}>×</button>
        <h2>{title}</h2>
      </header>
      <div className="body">{children}</div>
      <footer>{secondaryAction}{primaryAction}{footerContent}</footer>
    </div>
  ) : null;

// Not a form: the sandbox lets no form be submitted.
export const SettingsView: typeof sdk.SettingsView = ({ onSave, statusMessage, children }) => {
  const page = useRef<HTMLElement>(null);
  const save = () => {
    const values: Record<string, string> = {};
    for (const field of Array.from(page.current?.querySelectorAll('select, input') ?? [])) {
      const input = field as HTMLSelectElement | HTMLInputElement;
      if (input.name !== '') values[input.name] = input.value;
    }
    onSave?.(values);
  };
  return (
    <section className="settings" ref={page}>
      <div className="body">{children}</div>
      {onSave !== undefined && (
        <footer>
          <span className="status" role="status">{statusMessage}</span>
          <button type="button" className="primary medium" onClick={save}>Save</button>
        </footer>
      )}
    </section>
  );
};

export const OnboardingView: typeof sdk.OnboardingView = ({ title, description, children }) => (
  <section className="onboarding">
    <div className="body">
      <h1>{title}</h1>
      {description !== undefined && <p className="lead">{description}</p>}
      {children}
    </div>
  </section>
);

export const TaskList: typeof sdk.TaskList = ({ children }) => <ol className="tasks">{children}</ol>;
export const TaskListItem: typeof sdk.TaskListItem = ({ title, status, children }) => (
  <li className={status}>
    <span className="dot" aria-label={status}>{status === 'complete' ? '✓' : ''}</span>
    <div>
      <strong>{title}</strong>
      {children}
    </div>
  </li>
);

export const Badge: typeof sdk.Badge = ({ type = 'neutral', children }) => (
  <span className={`badge ${type}`}>{children}</span>
);

export const Banner: typeof sdk.Banner = ({ type = 'default', title, description, actions }) => (
  <div className={`banner ${type}`} role={type === 'critical' ? 'alert' : 'status'}>
    {title !== undefined && <strong>{title}</strong>}
    {description !== undefined && <div className="description">{description}</div>}
    {actions !== undefined && actions !== null && <div className="actions">{actions}</div>}
  </div>
);

export const Button: typeof sdk.Button = ({
  type = 'secondary', size = 'medium', onPress, href, disabled = false, pending = false, children, ...rest
}) =>
  href === undefined ? (
    <button
      type="button"
      className={`${type} ${size}`}
      disabled={disabled || pending}
      aria-busy={pending}
      aria-label={rest['aria-label']}
      onClick={onPress}
    >
      {pending && <span className="spinner small" />}
      {children}
    </button>
  ) : (
    <a className={`button ${type} ${size}`} href={href} target="_blank" rel="noreferrer">{children}</a>
  );

export const Link: typeof sdk.Link = ({ href, onPress, external = false, children }) => (
  <a href={href} target="_blank" rel="noreferrer" className="link" onClick={onPress}>
    {children}
    {external && <svg className="external" viewBox="0 0 12 12" aria-hidden="true"><path d="M4.5 2H2v8h8V7.5M7 1.5h3.5V5M10.2 1.8 5.5 6.5" /></svg>}
  </a>
);

export const List: typeof sdk.List = ({ children, ...rest }) => <ul aria-label={rest['aria-label']}>{children}</ul>;
export const ListItem: typeof sdk.ListItem = ({ title, secondaryTitle, value }) => (
  <li>
    <span>{title}</span>
    {secondaryTitle !== undefined && <small>{secondaryTitle}</small>}
    {value !== undefined && <span>{value}</span>}
  </li>
);

export const PropertyList: typeof sdk.PropertyList = ({ children }) => <dl>{children}</dl>;
export const PropertyListItem: typeof sdk.PropertyListItem = ({ label, value }) => (
  <div>
    <dt>{label}</dt>
    <dd>{value}</dd>
  </div>
);

export const Accordion: typeof sdk.Accordion = ({ children }) => <div className="accordion">{children}</div>;
export const AccordionItem: typeof sdk.AccordionItem = ({ title, subtitle, defaultOpen = false, children }) => (
  <details open={defaultOpen}>
    <summary>
      <strong>{title}</strong>
      {subtitle !== undefined && <small>{subtitle}</small>}
    </summary>
    {children}
  </details>
);

export const Spinner: typeof sdk.Spinner = ({ size = 'medium' }) => (
  <span className={`spinner ${size}`} role="progressbar" aria-label="Loading" />
);

export const Select: typeof sdk.Select = ({ label, description, name, defaultValue, disabled, required, children }) => (
  <label className="field">
    <span>{label}{required === true && <em> Required</em>}</span>
    {description !== undefined && <small>{description}</small>}
    <select name={name} defaultValue={defaultValue} disabled={disabled} required={required}>{children}</select>
  </label>
);

export const Checkbox: typeof sdk.Checkbox = ({ label, description, name, defaultChecked, disabled, onChange }) => (
  <label className="check">
    <input
      type="checkbox"
      name={name}
      defaultChecked={defaultChecked}
      disabled={disabled}
      onChange={(event) => onChange?.({ target: { checked: event.target.checked } })}
    />
    <span>{label}</span>
    {description !== undefined && <small>{description}</small>}
  </label>
);
