import type { CloudEvent } from '../cloudevents/cloud-event.ts';
import type { CloudEventResult } from '../cloudevents/compose-cloud-event.ts';
import { CORRELATION, TYPE_VERSION } from '../cloudevents/native-names.ts';
import { type NativeEvent, toNative } from '../cloudevents/to-native.ts';
import type { Fault } from '../domain/errors.ts';
import type { RawEvent } from './accept.ts';
import { checkSchema } from './check-schema.ts';
import { type EventInput, eventInput } from './event-input.ts';
import type { ReadResult } from './read-event.ts';

export interface CloudEventOptions {
  /** The extension that names the tenant; null: whose event it is follows from elsewhere, and the extension says nothing of that. */
  readonly tenantExtension: string | null;
  /** Where an attribute is, for the paths of faults: binary mode has them in headers. */
  readonly placeOf?: (attribute: string) => string;
}

const inputWithoutMetadata = eventInput.omit({ metadata: true });

/** What fields of ours are called among CloudEvents. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  timestamp: 'time',
  version: TYPE_VERSION,
  correlation_id: CORRELATION,
};

/**
 * A CloudEvent as one event of a request, for `acceptEvents`: checked by the same rules as any other, its faults at its own attributes.
 * It claims its source and id: the same pair again is a duplicate.
 * @param text what it was read from: what it costs its tenant
 */
export function readCloudEvent(result: CloudEventResult, text: string, options: CloudEventOptions): RawEvent {
  const read = result.ok ? convert(result.event, options) : result;
  if (!read.ok) return { value: null, text, read: { ok: false, faults: read.faults.map(placed(options)) } };
  return { value: read.event.value, text, read };
}

function placed({ placeOf = (attribute) => attribute }: CloudEventOptions): (fault: Fault) => Fault {
  return ({ path, message }) => ({ path: path === '' ? '' : placeOf(path), message });
}

function convert(event: CloudEvent, { tenantExtension, placeOf }: CloudEventOptions): ReadResult {
  const native = toNative(event);
  const tenant = event.extensions.find(({ name }) => name === tenantExtension)?.value;
  const value = fieldsOf(native, tenant);
  const checked = checkSchema(inputWithoutMetadata, withoutMetadata(value));
  if (!checked.ok) return { ok: false, faults: checked.faults.map((fault) => renamed(fault, tenantExtension)) };
  return {
    ok: true,
    event: {
      input: checked.value as EventInput,
      value,
      dataText: native.dataText,
      metadataText: native.metadataText,
      comparedMetadataText: native.comparedMetadataText,
      claim: `${event.source}\0${event.id}`,
      ...(tenantExtension !== null && { tenantField: (placeOf ?? String)(tenantExtension) }),
    },
  };
}

function fieldsOf({ head, dataText, metadataText }: NativeEvent, tenant: unknown): Readonly<Record<string, unknown>> {
  const value = { ...head, tenant_id: tenant, data: JSON.parse(dataText), metadata: JSON.parse(metadataText) };
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** Its `source` may be longer than one of ours, and was checked as what it is. */
function withoutMetadata({ metadata: _, ...rest }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return rest;
}

function renamed({ path, message }: Fault, tenantExtension: string | null): Fault {
  if (path === 'tenant_id') return { path: tenantExtension ?? path, message };
  return { path: ATTRIBUTES[path] ?? path, message };
}
