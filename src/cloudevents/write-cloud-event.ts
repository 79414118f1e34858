import type { CloudEvent, EventData } from './cloud-event.ts';
import { encodeHeader } from './http-headers.ts';
import { inUtf8 } from './media-type.ts';

/** An event as an HTTP message. */
export interface HttpMessage {
  readonly contentType: string;
  /** Names and values in turn, without the content type. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** Structured content mode, JSON format: minified, attributes in the order of the specification, then extensions by name, then data. */
export function writeStructured(event: CloudEvent): HttpMessage {
  const head = JSON.stringify({ specversion: '1.0', ...coreOf(event), ...extensionsOf(event) });
  const body = Buffer.from(`${head.slice(0, -1)}${dataMember(event.data)}}`);
  return { contentType: 'application/cloudevents+json; charset=utf-8', headers: [], body };
}

/** Binary content mode: attributes are headers, the body is the data. */
export function writeBinary(event: CloudEvent): HttpMessage {
  const { datacontenttype: contentType = 'application/json', ...core } = coreOf(event);
  const headers: string[] = [];
  for (const [name, value] of Object.entries({ specversion: '1.0', ...core, ...extensionsOf(event) })) {
    if (value !== undefined) headers.push(`ce-${name}`, encodeHeader(String(value)));
  }
  const body = bytesOf(event.data);
  const isText = event.data?.kind === 'text' || event.data?.kind === 'json';
  return { contentType: isText ? inUtf8(contentType, body) : contentType, headers, body };
}

function coreOf({ id, source, type, subject, time, datacontenttype, dataschema }: CloudEvent) {
  return { id, source, type, subject, time, datacontenttype, dataschema };
}

function extensionsOf({ extensions }: CloudEvent): Record<string, unknown> {
  return Object.fromEntries(extensions.map(({ name, value }) => [name, value]));
}

function dataMember(data: EventData | null): string {
  switch (data?.kind) {
    case undefined:
      return '';
    case 'json':
      return `,"data":${data.text}`;
    case 'text':
      return `,"data":${JSON.stringify(data.text)}`;
    case 'binary':
      return `,"data_base64":"${data.base64}"`;
  }
}

function bytesOf(data: EventData | null): Uint8Array {
  switch (data?.kind) {
    case undefined:
      return NOTHING;
    case 'json':
    case 'text':
      return Buffer.from(data.text);
    case 'binary':
      return Buffer.from(data.base64, 'base64');
  }
}
