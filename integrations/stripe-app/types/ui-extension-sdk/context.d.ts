/** What a view is told about where it stands and who looks at it: the parts of `@stripe/ui-extension-sdk/context` used here. */

/** A role of the person who is signed in. */
export interface RoleDefinition {
  readonly type: 'builtIn' | 'custom';
  readonly name: string;
}

export interface ExtensionContextValue {
  readonly userContext: {
    /** `usr_…`. The SDK types it as optional. */
    readonly id?: string;
    readonly name?: string;
    /** Such as `en-US`. */
    readonly locale?: string;
    readonly roles?: readonly RoleDefinition[];
    readonly account: {
      /** `acct_…` */
      readonly id: string;
      readonly name?: string;
      readonly country?: string;
      readonly isSandbox?: boolean;
    };
  };
  readonly environment: {
    readonly viewportID: string;
    readonly mode: 'live' | 'test';
    /** The object beside which the view stands; null where there is none. */
    readonly objectContext?: { readonly id: string; readonly object: string } | null;
    /** `constants` of the manifest. */
    readonly constants?: Readonly<Record<string, unknown>> | null;
  };
  readonly appContext?: {
    readonly authorizedPermissions?: readonly string[];
    readonly authorizedCSP?: unknown;
  };
}
