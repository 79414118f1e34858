import type { NewEvent, Operations } from './api.ts';
import { call, type Patience, settingsOf } from './call.ts';
import { checkCount, checkNumber } from './check-number.ts';
import {
  type AnyInput,
  answersText,
  type CallArguments,
  type CallOptions,
  type ListItem,
  type ListOperation,
  type OperationName,
  pathOf,
} from './operation.ts';
import { type Parcel, packEvent, packText } from './pack-event.ts';
import { sendParcels } from './send.ts';
import { SendError, type SendOutcome } from './send-error.ts';
import type { Transport } from './transport.ts';
import { writeJson } from './write-json.ts';

export interface PosthornOptions {
  /** Of the server: `https://posthorn.internal`. `/v1` at its end is left out. */
  readonly url: string | URL;
  /** Of a tenant or of an operator. */
  readonly key: string;
  /** Most tries of one request, the first included. 8 unless given. */
  readonly maxAttempts?: number | undefined;
  /** How long one try may take. 30 unless given. */
  readonly timeoutSeconds?: number | undefined;
  /** How long a call may take, all its requests and tries together; in `list` each page. 120 unless given. */
  readonly deadlineSeconds?: number | undefined;
  /** Most events of one request: the server's `MAX_BATCH_EVENTS`. 1,000 unless given. */
  readonly maxBatchEvents?: number | undefined;
  /** Largest body of one request: the server's `MAX_BATCH_BYTES`. 8 MiB unless given. */
  readonly maxBatchBytes?: number | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export type StoredEvent = Extract<SendOutcome, { status: 'accepted' | 'duplicate' }>;

/** By RFC 9110 §9.2.2: to be acted on twice is the same as once. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);

/** A client of one server with one key. It holds no connection and needs no end. */
export class Posthorn {
  readonly #transport: Transport;
  readonly #patience: Patience;
  readonly #limits: { readonly maxEvents: number; readonly maxBytes: number };

  /** @throws TypeError for an address or a key that can be none; the message does not hold the key. TypeError or RangeError for a number that can be none */
  constructor(options: PosthornOptions) {
    const { url, key, maxAttempts, timeoutSeconds, deadlineSeconds, maxBatchEvents, maxBatchBytes } = options;
    // Not bound to the client: a browser's fetch wants no other `this` than its own.
    const fetch = options.fetch ?? ((...request: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...request));
    this.#transport = { url: checkUrl(url), key: checkKey(key), fetch };
    this.#patience = {
      maxAttempts: checkCount('maxAttempts', maxAttempts, 8),
      timeoutMs: checkNumber('timeoutSeconds', timeoutSeconds, 30) * 1_000,
      deadlineMs: checkNumber('deadlineSeconds', deadlineSeconds, 120) * 1_000,
    };
    this.#limits = {
      maxEvents: checkCount('maxBatchEvents', maxBatchEvents, 1_000),
      maxBytes: checkCount('maxBatchBytes', maxBatchBytes, 8 * 1024 * 1024),
    };
  }

  /**
   * Sends an event, or events in their order, so that none is lost and none doubled: resolves when all are stored, for good.
   * @throws SendError otherwise, which says what became of each event; TypeError for what is no JSON, before anything is sent
   */
  send(event: NewEvent, options?: CallOptions): Promise<StoredEvent>;
  send(events: readonly NewEvent[], options?: CallOptions): Promise<StoredEvent[]>;
  send(events: NewEvent | readonly NewEvent[], options?: CallOptions): Promise<StoredEvent | StoredEvent[]>;
  async send(events: NewEvent | readonly NewEvent[], options: CallOptions = {}): Promise<StoredEvent | StoredEvent[]> {
    if (Array.isArray(events)) return this.#sendAll(Array.from(events as readonly NewEvent[], packEvent), options);
    const [stored] = await this.#sendAll([packEvent(events as NewEvent, 0)], options);
    return stored!;
  }

  /**
   * As `send`, of events in JSON, each of which is sent as it is written: the `text` of outcomes, or what an outbox holds.
   * @throws SendError, or TypeError, as `send` does
   */
  async sendTexts(texts: readonly string[], options: CallOptions = {}): Promise<StoredEvent[]> {
    return this.#sendAll(Array.from(texts, packText), options);
  }

  async #sendAll(parcels: readonly Parcel[], options: CallOptions): Promise<StoredEvent[]> {
    const settings = settingsOf(this.#patience, true, options);
    const endMs = performance.now() + settings.deadlineMs;
    const post = (body: string) => {
      const request = { method: 'POST', path: '/v1/events', body };
      return call(this.#transport, request, { ...settings, deadlineMs: endMs - performance.now() });
    };
    const outcomes = await sendParcels(parcels, post, this.#limits, settings.signal);
    if (!outcomes.every(isStored)) throw new SendError(outcomes);
    return outcomes;
  }

  /**
   * Makes any call of the API by its method and path, as in docs/openapi.json. Calls that may be made twice are made again where that may help; others
   * only where the first one did nothing for certain.
   * @throws PosthornError for an answer that refuses, NoAnswerError without an answer, or what `signal` was aborted with; TypeError for a body in which
   * JSON would lose something, before anything is sent
   */
  async request<Name extends OperationName>(
    operation: Name,
    ...[input = {}]: CallArguments<Name>
  ): Promise<Operations[Name]['answer']> {
    const { body, ...rest } = input as AnyInput;
    const [method = '', template = ''] = operation.split(' ');
    const request = { method, path: pathOf(template, rest), body: bodyText(body), wantsText: answersText(operation) };
    const answer = await call(this.#transport, request, settingsOf(this.#patience, IDEMPOTENT.has(method), rest));
    return answer as Operations[Name]['answer'];
  }

  /**
   * Goes through a list, page by page as it is read. A deadline is that of each page.
   * @throws as `request` does
   */
  async *list<Name extends ListOperation>(
    operation: Name,
    ...[input = {}]: CallArguments<Name>
  ): AsyncGenerator<ListItem<Name>, void, undefined> {
    const { query, ...rest } = input as AnyInput;
    let cursor = query?.cursor;
    do {
      const paged = { ...rest, query: { ...query, cursor } };
      const page = (await this.request(operation, ...([paged] as unknown as CallArguments<Name>))) as Page<Name>;
      yield* page.data;
      // It would never end.
      if (page.next !== null && page.next === cursor) throw new Error(`The list stands still at ${cursor}.`);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }
}

interface Page<Name extends ListOperation> {
  readonly data: ListItem<Name>[];
  readonly next: string | null;
}

function bodyText(body: unknown): string | undefined {
  const text = body === undefined ? undefined : writeJson('The body', body);
  if (body !== undefined && text === undefined) throw new TypeError('The body is no JSON: it is nothing.');
  return text;
}

function isStored(outcome: SendOutcome): outcome is StoredEvent {
  return outcome.status === 'accepted' || outcome.status === 'duplicate';
}

function checkUrl(given: string | URL): string {
  const url = new URL(given);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError('The url is neither http nor https.');
  if (url.username !== '' || url.password !== '') throw new TypeError('The url holds a user or password: use `key`.');
  if (url.search !== '' || url.hash !== '') throw new TypeError('The url has a query or a fragment.');
  return `${url.origin}${url.pathname.replace(/(\/v1)?\/*$/, '').replace(/\/+$/, '')}`;
}

// What a header cannot hold would be told by fetch, with the whole of it.
function checkKey(key: string): string {
  if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key)) throw new TypeError('The key is missing or malformed.');
  return key;
}
