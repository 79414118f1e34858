import { objectMembers } from '../domain/json-slices.ts';
import { coreProblem, extensionNameProblem, extensionProblem } from './attribute-rules.ts';
import type { CloudEvent, CoreAttribute, EventData, Extension, ExtensionValue } from './cloud-event.ts';
import { isJsonType } from './media-type.ts';
import { CORRELATION, isTypeVersion, ORIGIN, type Origin, TENANT, TYPE_VERSION } from './native-names.ts';
import { isBase64 } from './read-structured.ts';

interface Fields {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly timestamp: string;
  readonly tenant_id: string;
  readonly correlation_id?: string;
  readonly subject?: string;
}

/** Scalars by name; objects and arrays are left out. */
type Metadata = ReadonlyMap<string, unknown>;

/**
 * An event of Posthorn's as a CloudEvent. One that came as a CloudEvent is again what it was, with `data` as it is now; of any other, the
 * members of `metadata` that can be extension attributes are, beside `tenantid`, `typeversion` and `correlationid`. Never fails, whatever
 * a producer wrote into `metadata`.
 * @param body a stored event, minified
 */
export function fromNative(body: Uint8Array): CloudEvent {
  const members = objectMembers(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  const fields: Record<string, unknown> = {};
  let dataText = 'null';
  let metadataText = '{}';
  for (const { name, text } of members) {
    if (name === 'data') dataText = text;
    else if (name === 'metadata') metadataText = text;
    else fields[name] = JSON.parse(text);
  }
  return eventOf(fields as unknown as Fields, dataText, metadataOf(metadataText));
}

function eventOf(fields: Fields, dataText: string, metadata: Metadata): CloudEvent {
  const { id, type, subject, timestamp } = fields;
  const origin = originOf(metadata);
  const shared = { type, subject, extensions: extensionsOf(fields, metadata, origin !== null) };
  if (origin === null) {
    const data = { kind: 'json', text: dataText } as const;
    const source = sourceOf(metadata.get('source'), fields.tenant_id);
    const implied = { datacontenttype: 'application/json', dataschema: undefined };
    return { ...shared, id, source, time: timestamp, ...implied, data };
  }
  const data = dataOf(dataText, origin);
  const isKept = data?.kind !== 'json' || origin.datacontenttype === undefined || isJsonType(origin.datacontenttype);
  return {
    ...shared,
    id: origin.id,
    source: metadata.get('source') as string,
    time: origin.time === 'none' ? undefined : timestamp,
    datacontenttype: isKept ? origin.datacontenttype : 'application/json',
    dataschema: origin.dataschema,
    data,
  };
}

function metadataOf(text: string): Metadata {
  if (!text.startsWith('{')) return new Map();
  return new Map(objectMembers(text).map((member) => [member.name, JSON.parse(member.text) as unknown]));
}

/** Null for an event that did not come as a CloudEvent, whatever its metadata pretend. */
function originOf(metadata: Metadata): Origin | null {
  const origin = metadata.get(ORIGIN);
  if (typeof origin !== 'object' || origin === null) return null;
  const { id, datacontenttype, dataschema } = origin as Partial<Origin>;
  const isGood =
    isAttribute('id', id) &&
    isAttribute('source', metadata.get('source')) &&
    (datacontenttype === undefined || isAttribute('datacontenttype', datacontenttype)) &&
    (dataschema === undefined || isAttribute('dataschema', dataschema));
  return isGood ? (origin as Origin) : null;
}

function isAttribute(name: CoreAttribute, value: unknown): boolean {
  return coreProblem(name, value) === null;
}

/** What a cast has made of the data counts more than what was noted of it. */
function dataOf(text: string, { datacontenttype, data }: Origin): EventData | null {
  if (data === 'none' && text === 'null') return null;
  const value: unknown = text.startsWith('"') ? JSON.parse(text) : null;
  if (data === 'base64' && isBase64(value)) return { kind: 'binary', base64: value };
  const declaresText = datacontenttype !== undefined && !isJsonType(datacontenttype);
  return declaresText && typeof value === 'string' ? { kind: 'text', text: value } : { kind: 'json', text };
}

function extensionsOf(fields: Fields, metadata: Metadata, cameAsCloudEvent: boolean): readonly Extension[] {
  const values = new Map<string, ExtensionValue>();
  for (const [name, value] of metadata) {
    if (extensionNameProblem(name) === null && extensionProblem(value) === null)
      values.set(name, value as ExtensionValue);
  }
  const { version, tenant_id, correlation_id } = fields;
  // The version may be that of a cast.
  if (!cameAsCloudEvent || version !== '1.0' || isTypeVersion(values.get(TYPE_VERSION)))
    values.set(TYPE_VERSION, version);
  if (!cameAsCloudEvent) {
    values.set(TENANT, tenant_id);
    if (correlation_id !== undefined) values.set(CORRELATION, correlation_id);
  }
  return [...values].map(([name, value]) => ({ name, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sourceOf(source: unknown, tenantId: string): string {
  if (typeof source === 'string') {
    for (const text of [source, encodeURI(source)]) if (isAttribute('source', text)) return text;
  }
  return `urn:posthorn:tenant:${encodeURIComponent(tenantId)}`;
}
