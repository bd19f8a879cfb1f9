/** What the license service answers, as `docs/api.md` describes it. Times are RFC 3339 in UTC. */

export type ObjectKind = 'customer' | 'subscription' | 'invoice' | 'payment';

/** Everything that the service does when a person asks for it. */
export type Operation =
  | 'resend_key'
  | 'reset_device'
  | 'suspend_license'
  | 'reinstate_license'
  | 'stage_evidence'
  | 'save_settings'
  | 'disconnect';

export interface Named {
  readonly id: string | null;
  readonly name: string | null;
}

export interface Fulfillment {
  readonly id: string;
  readonly status:
    | 'pending'
    | 'waiting_payment'
    | 'waiting_mapping'
    | 'fulfilled'
    | 'suspended'
    | 'ended'
    | 'failed';
  readonly reason: string | null;
  readonly kind: string;
  readonly stripe_id: string;
  readonly updated_at: string;
  /** Stripe products and prices of it that no mapping is for. */
  readonly unmapped: readonly string[];
}

export interface Device {
  readonly id: string;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly last_seen_at: string;
}

export interface Usage {
  readonly feature_code: string;
  readonly consumed: number;
  /** Null is without limit. */
  readonly quota: number | null;
}

export interface License {
  readonly id: string;
  readonly fulfillment_id: string;
  readonly status: string;
  readonly key_hint: string | null;
  readonly product: Named;
  readonly policy: Named;
  readonly expires_at: string | null;
  /** Whether the next paid period extends it. */
  readonly renews: boolean;
  /** What was changed of it by a person, and is left so: `suspended`, `reinstated`, `revoked`, `extended`. */
  readonly changed_by_hand: readonly string[];
  readonly active_device_count: number | null;
  /** Null is without limit, or not known. */
  readonly device_limit: number | null;
  readonly devices: readonly Device[];
  readonly usage: readonly Usage[];
  readonly url: string;
}

export interface TimelineEntry {
  readonly at: string;
  readonly kind: 'event' | 'decision' | 'step' | 'note';
  readonly title: string;
  readonly state: 'started' | 'succeeded' | 'failed' | null;
  readonly detail: string | null;
  readonly fulfillment_id: string;
}

export interface DisputeNote {
  readonly id: string;
  readonly status: string;
}

export interface ObjectView {
  readonly object: { readonly id: string; readonly type: ObjectKind };
  /** The license server did not answer: licenses are shown as they were last left. */
  readonly stale: boolean;
  readonly fulfillments: readonly Fulfillment[];
  readonly licenses: readonly License[];
  readonly more_licenses: boolean;
  /** The newest first. */
  readonly timeline: readonly TimelineEntry[];
  readonly disputes: readonly DisputeNote[];
  /** What this person may do; empty while Stripe does not vouch for a role. */
  readonly may: readonly Operation[];
  readonly key_mail: 'on' | 'off';
  readonly console_url: string;
}

export interface EvidenceField {
  /** Stripe's name of the field. */
  readonly name: string;
  readonly text: string;
  /** What stands on the dispute already. */
  readonly current: string | null;
}

export interface EvidenceFact {
  readonly at: string | null;
  readonly text: string;
}

export interface EvidenceSection {
  readonly title: string;
  readonly facts: readonly EvidenceFact[];
}

export interface Evidence {
  readonly payment: string;
  readonly dispute: {
    readonly id: string;
    readonly status: string;
    readonly reason: string;
    /** In the smallest unit of the currency. */
    readonly amount: number;
    readonly currency: string;
    readonly due_by: string | null;
    readonly is_answerable: boolean;
    /** Stripe is the merchant of record and answers it. */
    readonly is_managed: boolean;
    readonly has_evidence: boolean;
  };
  readonly stale: boolean;
  readonly fields: readonly EvidenceField[];
  readonly sections: readonly EvidenceSection[];
  /** A link for ten minutes. */
  readonly document_url: string;
  readonly may: readonly Operation[];
}

export interface MappingNote {
  readonly id: string;
  readonly stripe_id: string;
  readonly product: Named;
  readonly policy: Named;
  readonly quantity: 'one' | 'per_unit' | 'seats';
  readonly warning: string | null;
}

export interface PendingApproval {
  /** Stripe's names of the permissions. */
  readonly permissions: readonly string[];
  readonly endpoints: readonly string[];
  readonly since: string;
}

export interface Settings {
  readonly account_id: string;
  readonly livemode: boolean;
  readonly connection: {
    readonly status: 'pending' | 'connected' | 'disconnected';
    readonly installed_at: string | null;
    readonly parked_reason: string | null;
    readonly parked_detail: string | null;
    /** What a version of the app asks for and nobody has approved yet; null while nothing is. */
    readonly pending_approval: PendingApproval | null;
  };
  readonly mappings: readonly MappingNote[];
  readonly more_mappings: boolean;
  /** Sales that wait for a mapping or for a person. */
  readonly waiting_mapping: number;
  readonly failed: number;
  readonly fulfilled: number;
  readonly key_mail: 'on' | 'off';
  readonly settings: { readonly bare_payments: boolean; readonly update_customers: boolean };
  readonly may: readonly Operation[];
  readonly console_url: string;
  readonly install_url: string;
}

export interface Done {
  readonly operation: Operation;
  readonly object: string;
  /** What was done, in one sentence. */
  readonly summary: string;
}
