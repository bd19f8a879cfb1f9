/** A page without a browser: renders a view, reads it, presses what is on it. */
import { dom } from './dom';
import React from 'react';
import { createRoot } from 'react-dom/client';
import { act } from 'react-dom/test-utils';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';

export class Page {
  private constructor(
    private readonly element: HTMLElement,
    private readonly root: { unmount(): void },
  ) {}

  static async open(View: React.ComponentType<ExtensionContextValue>, context: ExtensionContextValue): Promise<Page> {
    const element = dom.window.document.createElement('div');
    dom.window.document.body.append(element);
    const root = createRoot(element);
    const page = new Page(element, root);
    await act(async () => {
      root.render(<View {...context} />);
    });
    await page.settle();
    return page;
  }

  /** Lets everything happen that waits for nothing but promises. */
  async settle(): Promise<void> {
    await act(async () => {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    });
  }

  get text(): string {
    return this.element.textContent ?? '';
  }

  labels(): readonly string[] {
    return this.controls().map((one) => one.getAttribute('aria-label') ?? one.textContent ?? '');
  }

  link(label: string): string | null {
    const found = this.controls().find((one) => one.textContent === label);
    return found?.getAttribute('href') ?? null;
  }

  has(selector: string): boolean {
    return this.element.querySelector(selector) !== null;
  }

  /** Presses the last control of that name: what was opened last lies on top. */
  async press(label: string): Promise<void> {
    const found = this.controls().filter(
      (one) => one.getAttribute('aria-label') === label || one.textContent === label,
    );
    const control = found[found.length - 1];
    if (control === undefined) throw new Error(`nothing to press is called "${label}": ${this.labels().join(' | ')}`);
    await act(async () => {
      (control as HTMLElement).click();
    });
    await this.settle();
  }

  async tick(): Promise<void> {
    const box = this.element.querySelector('input[type=checkbox]');
    await act(async () => {
      (box as HTMLElement).click();
    });
  }

  async choose(name: string, value: string): Promise<void> {
    const select = this.element.querySelector(`select[name=${name}]`) as HTMLSelectElement;
    await act(async () => {
      select.value = value;
    });
  }

  async close(): Promise<void> {
    await act(async () => this.root.unmount());
    this.element.remove();
  }

  private controls(): readonly Element[] {
    return Array.from(this.element.querySelectorAll('button, a'));
  }
}
