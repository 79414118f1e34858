/** The member of `metadata` that holds what an event was as a CloudEvent; no extension can have a name with `_`. */
export const ORIGIN = 'cloud_event';

/** The extensions that stand for fields of ours: `version`, `correlation_id` (extensions/correlation.md) and `tenant_id`. */
export const TYPE_VERSION = 'typeversion';
export const CORRELATION = 'correlationid';
export const TENANT = 'tenantid';

export const MAX_CORRELATION = 256;

/** What of a CloudEvent has no place among the fields of an event. */
export interface Origin {
  readonly id: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  /** Absent: `data` is JSON, or the text that `datacontenttype` declares. */
  readonly data?: 'none' | 'base64';
  /** It came without a time. */
  readonly time?: 'none';
}

/** A version of an event type as ingest takes it. */
export function isTypeVersion(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,9}\.\d{1,9}(\.\d{1,9})?$/.test(value);
}
