import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test, { describe } from 'node:test';

interface Manifest {
  readonly id: string;
  readonly name: string;
  readonly icon: string;
  readonly stripe_api_access_type: string;
  readonly distribution_type: string;
  readonly sandbox_install_compatible: unknown;
  readonly allowed_redirect_uris: readonly string[];
  readonly permissions: ReadonlyArray<{ readonly permission: string; readonly purpose: string }>;
  readonly ui_extension: {
    readonly views: ReadonlyArray<{ readonly viewport: string; readonly component: string }>;
    readonly content_security_policy: { readonly 'connect-src': readonly string[]; readonly purpose: string };
  };
  readonly post_install_action: { readonly type: string };
  readonly constants: { readonly BASE_URL: string };
}

const root = process.cwd();
const manifest = JSON.parse(readFileSync(`${root}/stripe-app.json`, 'utf8')) as Manifest;

describe('The manifest', () => {
  test('names views that exist, each with its default export', () => {
    for (const { component } of manifest.ui_extension.views) {
      const source = readFileSync(`${root}/src/views/${component}.tsx`, 'utf8');
      assert.match(source, new RegExp(`export default ${component};`));
    }
  });

  test('has a view beside each object that gives licenses, the settings and the setup', () => {
    assert.deepEqual(
      manifest.ui_extension.views.map((view) => view.viewport).sort(),
      ['onboarding', 'settings', ...['customer', 'invoice', 'payment', 'subscription'].map((kind) => `stripe.dashboard.${kind}.detail`)].sort(),
    );
  });

  test('installs with OAuth, publicly, over HTTPS, and says whether sandboxes may', () => {
    assert.equal(manifest.stripe_api_access_type, 'oauth');
    assert.equal(manifest.distribution_type, 'public');
    assert.equal(typeof manifest.sandbox_install_compatible, 'boolean');
    for (const uri of manifest.allowed_redirect_uris) assert.match(uri, /^https:\/\/[^/]+\/.+/);
    assert.equal(manifest.allowed_redirect_uris[0], `${manifest.constants.BASE_URL}/stripe/oauth/callback`);
  });

  test('asks for each permission once, with its purpose', () => {
    const names = manifest.permissions.map((one) => one.permission);
    assert.equal(new Set(names).size, names.length);
    for (const { permission, purpose } of manifest.permissions) assert(purpose.length > 30, permission);
  });

  test('lets the views call the service, by path, and nothing else', () => {
    const allowed = manifest.ui_extension.content_security_policy['connect-src'];
    assert.deepEqual(allowed, [`${manifest.constants.BASE_URL}/stripe/app/`]);
  });

  test('has a name that the marketplace takes, and an icon of the right size', () => {
    assert(manifest.name.length <= 35);
    assert.doesNotMatch(manifest.name, /stripe|app|rak|generator|api key|authenticator|free|paid/i);
    assert(existsSync(`${root}/${manifest.icon}`));
    const image = readFileSync(`${root}/${manifest.icon}`);
    const size = new DataView(image.buffer, image.byteOffset + 16, 8);
    assert.deepEqual([size.getUint32(0), size.getUint32(4)], [300, 300]);
  });
});
