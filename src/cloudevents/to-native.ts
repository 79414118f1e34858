import type { CloudEvent, EventData, ExtensionValue } from './cloud-event.ts';
import { CORRELATION, isTypeVersion, MAX_CORRELATION, ORIGIN, type Origin, TYPE_VERSION } from './native-names.ts';

/** A CloudEvent as an event of Posthorn's: what stands before its data, and data and metadata as JSON texts. */
export interface NativeEvent {
  readonly head: {
    readonly type: string;
    readonly version: string | undefined;
    readonly timestamp: string | undefined;
    readonly correlation_id: string | undefined;
    readonly subject: string | undefined;
  };
  readonly dataText: string;
  readonly metadataText: string;
  /**
   * `metadataText` as it is compared with that of an event that came before: without `datacontenttype` an event is exactly equivalent to one
   * of `application/json` (spec.md, "datacontenttype"). It is delivered without all the same.
   */
  readonly comparedMetadataText: string;
}

/**
 * `type`, `time` and `subject` become fields; `source` and the extensions become `metadata`, and so does all that is needed to write the
 * same CloudEvent again, under a name that no extension can have. Its id is only unique within its source, so it does not become ours.
 */
export function toNative(event: CloudEvent): NativeEvent {
  const { type, time, subject, extensions } = event;
  const extensionOf = (name: string) => extensions.find((extension) => extension.name === name)?.value;
  const metadataText = metadataTextOf(event);
  return {
    head: {
      type,
      version: versionOf(extensionOf(TYPE_VERSION)),
      timestamp: time,
      correlation_id: correlationOf(extensionOf(CORRELATION)),
      subject,
    },
    dataText: textOf(event.data),
    metadataText,
    comparedMetadataText:
      event.datacontenttype === undefined
        ? metadataTextOf({ ...event, datacontenttype: 'application/json' })
        : metadataText,
  };
}

function metadataTextOf(event: CloudEvent): string {
  const extensions = Object.fromEntries(event.extensions.map(({ name, value }) => [name, value]));
  return JSON.stringify({ source: event.source, ...extensions, [ORIGIN]: originOf(event) });
}

function originOf({ id, time, datacontenttype, dataschema, data }: CloudEvent): Origin {
  return {
    id,
    ...(datacontenttype !== undefined && { datacontenttype }),
    ...(dataschema !== undefined && { dataschema }),
    ...(data === null && { data: 'none' }),
    ...(data?.kind === 'binary' && { data: 'base64' }),
    ...(time === undefined && { time: 'none' }),
  };
}

function textOf(data: EventData | null): string {
  switch (data?.kind) {
    case undefined:
      return 'null';
    case 'json':
      return data.text;
    case 'text':
      return JSON.stringify(data.text);
    case 'binary':
      return JSON.stringify(data.base64);
  }
}

function versionOf(value: ExtensionValue | undefined): string | undefined {
  return isTypeVersion(value) ? value : undefined;
}

function correlationOf(value: ExtensionValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_CORRELATION ? value : undefined;
}
