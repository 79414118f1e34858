import type { TenantRef } from '../domain/caller.ts';
import { eventIdOf } from '../domain/ids.ts';
import { objectMembers } from '../domain/json-slices.ts';
import { quoted } from '../domain/quoted.ts';
import { mayHaveExactNumbers, parseExactly } from '../routing/exact-number.ts';
import { dedupKey, digestUuid } from './dedup-key.ts';
import type { EventInput } from './event-input.ts';
import type { MatchedEvent } from './match.ts';
import type { ReadEvent } from './read-event.ts';

/** An event in its final bytes, ready to be committed. */
export interface PendingEvent {
  readonly uuid: string;
  readonly publicId: string;
  readonly tenant: TenantRef;
  readonly type: string;
  readonly subject: string | null;
  readonly externalId: string | null;
  readonly body: Buffer;
  /** What no other event may have: its idempotency key, its id, a CloudEvent's source and id. Those that it has, as digests (`dedupKey`). */
  readonly keys: readonly string[];
  readonly bodyHash: string;
  /**
   * Makes `bodyHash` as earlier versions made it; undefined where they made the same. An event with either is the same one. Made only where an
   * event with the key has another hash: that is rare, and it costs as much as the first.
   */
  readonly formerHash?: (() => string) | undefined;
  /**
   * Only messages of sources have it: each stands for itself in its unit. Where the message has a lasting place in its source, `key` is that
   * place (`sourceKey`), which it claims, too.
   */
  readonly source?: { readonly key: string | null };
  /** Numbers of the endpoints that do not get it, whatever they subscribe to: the endpoints that a system event is about. */
  readonly exceptEndpoints?: ReadonlySet<number>;
  /** The version of the tenant's event types that it was checked by. Absent: no producer has sent it, and it was not checked. */
  rulesVersion?: bigint | undefined;
  /** Its match, where that took long to find. */
  matched?: MatchedEvent['matched'];
  /** The body, parsed without loss: for filters. */
  readonly content: () => unknown;
}

/** What must be known of an event to tell whether it is stored already. */
export type Claimant = Pick<PendingEvent, 'tenant' | 'keys' | 'bodyHash' | 'formerHash' | 'source'>;

/**
 * Writes the event as it is stored and delivered: minified, keys in the contract's order, values as the producer wrote them.
 * @param headerKey the `Idempotency-Key` header; the event's own key goes before it
 */
export function sealEvent(
  event: ReadEvent,
  tenant: TenantRef,
  uuid: string,
  nowMs: number,
  headerKey: string | undefined,
): PendingEvent {
  // `content` holds on to these, not to `event`: its texts were cut out of the request, and each of them keeps all of that in memory.
  const { input, value } = event;
  const publicId = input.id ?? eventIdOf(uuid);
  const timestamp = input.timestamp ?? isoTime(nowMs);
  const body = Buffer.from(bodyText(event, publicId, timestamp, tenant.id));
  const key = input.metadata?.idempotency_key ?? headerKey;
  const keys: string[] = [];
  if (key !== undefined) keys.push(dedupKey(tenant.num, 'k', key));
  if (input.id !== undefined) keys.push(dedupKey(tenant.num, 'i', input.id));
  if (event.claim !== undefined) keys.push(dedupKey(tenant.num, 'c', event.claim));
  return {
    uuid,
    publicId,
    tenant,
    type: input.type,
    subject: input.subject ?? null,
    externalId: input.id ?? null,
    body,
    keys,
    bodyHash: keys.length === 0 ? '' : digestUuid(comparedText(event)),
    formerHash: keys.length === 0 || !hadFormerText(event) ? undefined : () => digestUuid(formerText(input, body)),
    rulesVersion: undefined,
    matched: undefined,
    content: () => contentOf(body, headOf(input, publicId, timestamp, tenant.id), value),
  };
}

/**
 * @returns every key that an event claims, each with what must be the same if an event has it already: the body; for a place in a source
 * only the place itself
 */
export function claimsOf({
  keys,
  bodyHash,
  source,
}: Omit<Claimant, 'tenant'>): readonly { key: string; bodyHash: string }[] {
  const claims = keys.map((key) => ({ key, bodyHash }));
  const place = source?.key ?? null;
  return place === null ? claims : [...claims, { key: place, bodyHash: place }];
}

/** The members before `data`, in the contract's order; those that are absent are undefined. */
function headOf(input: EventInput, publicId: string, timestamp: string, tenantId: string) {
  return {
    id: publicId,
    type: input.type,
    version: input.version ?? DEFAULT_VERSION,
    timestamp,
    tenant_id: tenantId,
    correlation_id: input.correlation_id,
    subject: input.subject,
  };
}

const DEFAULT_VERSION = '1.0';

/** Writes the members of `headOf`, then `data` and `metadata`. By hand, because `JSON.stringify` of an object costs several times as much. */
function bodyText(
  { input, dataText, metadataText }: ReadEvent,
  publicId: string,
  timestamp: string,
  tenantId: string,
): string {
  const { type, version = DEFAULT_VERSION, correlation_id: correlation, subject } = input;
  const head = `{"id":${quoted(publicId)},"type":${quoted(type)},"version":${quoted(version)},"timestamp":${quoted(timestamp)}`;
  const correlated = correlation === undefined ? '' : `,"correlation_id":${quoted(correlation)}`;
  const about = subject === undefined ? '' : `,"subject":${quoted(subject)}`;
  const metadata = metadataText === null ? '' : `,"metadata":${metadataText}`;
  return `${head},"tenant_id":${quoted(tenantId)}${correlated}${about},"data":${dataText}${metadata}}`;
}

let isoMs = Number.NaN;
let isoText = '';

/** Makes the text once for all events of a millisecond. */
function isoTime(ms: number): string {
  if (ms !== isoMs) {
    isoText = new Date(ms).toISOString();
    isoMs = ms;
  }
  return isoText;
}

/** The event as filters see it: what the request was parsed to, or, if that lost digits of numbers, the body parsed without loss. */
function contentOf(body: Buffer, head: object, { data, metadata }: ReadEvent['value']): unknown {
  if (mayHaveExactNumbers(body.toString('latin1'))) return parseExactly(body.toString());
  return metadata === undefined ? { ...head, data } : { ...head, data, metadata };
}

/**
 * What two events of one key must have in common: everything that the producer said, but for white space and for defaults that are spelled
 * out. Those count as absent, so that hashes of events without them stay what they were.
 */
function comparedText({ input, dataText, metadataText, comparedMetadataText }: ReadEvent): string {
  const told = input.version === DEFAULT_VERSION ? undefined : input.version;
  return hashedText(input, told, dataText, comparedMetadataText ?? metadataText);
}

/** Whether earlier versions compared the event by another text: what was spelled out was not the same to them as what was left out. */
function hadFormerText({ input, metadataText, comparedMetadataText }: ReadEvent): boolean {
  return input.version === DEFAULT_VERSION || (comparedMetadataText ?? metadataText) !== metadataText;
}

/** @param body the event as it is stored: its data and metadata are those of the request, which are not kept for this */
function formerText(input: EventInput, body: Buffer): string {
  const members = objectMembers(body.toString());
  const textOf = (name: string) => members.find((member) => member.name === name)?.text ?? null;
  return hashedText(input, input.version, textOf('data'), textOf('metadata'));
}

function hashedText(
  { id, type, timestamp, correlation_id, subject }: EventInput,
  version: string | undefined,
  dataText: string | null,
  metadataText: string | null,
): string {
  return JSON.stringify([id, type, version, timestamp, correlation_id, subject, dataText, metadataText]);
}
