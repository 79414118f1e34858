/**
 * An event of CloudEvents 1.0 (https://github.com/cloudevents/spec, v1.0.2), whatever it was read from or will be written to. Absent
 * attributes are undefined. `type`, `subject` and `time` are text that is not empty; what else they must be is for ingest to say.
 */
export interface CloudEvent {
  readonly id: string;
  /** An RFC 3986 URI reference. */
  readonly source: string;
  readonly type: string;
  readonly subject: string | undefined;
  readonly time: string | undefined;
  /** An RFC 2046 media type. Absent: JSON. */
  readonly datacontenttype: string | undefined;
  /** An RFC 3986 URI. */
  readonly dataschema: string | undefined;
  /** By name, in the order of the names, so that one event has one form. */
  readonly extensions: readonly Extension[];
  /** Null: the event carries none, which is not the same as JSON's `null`. */
  readonly data: EventData | null;
}

export interface Extension {
  readonly name: string;
  readonly value: ExtensionValue;
}

/** CloudEvents' Boolean, Integer, and String with all that is written as one. */
export type ExtensionValue = string | boolean | number;

/** JSON as its minified text, so that its numbers stay exact; other text as it is; anything else in base64. */
export type EventData =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly base64: string };

export const CORE_ATTRIBUTES = [
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
] as const;

export type CoreAttribute = (typeof CORE_ATTRIBUTES)[number];
