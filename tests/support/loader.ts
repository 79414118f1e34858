import { setTimeout as delay } from 'node:timers/promises';
import { call } from './api.ts';
import { eventually } from './eventually.ts';
import { TENANT } from './stage.ts';

/** What a producer knows of an event that it sent: acknowledged, refused, or not known (no answer came, or a 503). */
export interface SentEvent {
  readonly key: string;
  outcome: 'ok' | 'failed' | 'unknown';
  /** Of the last answer; null when none came. */
  status: number | null;
  /** The event's id, once acknowledged. */
  id: string | null;
  /** `accepted` or `duplicate`. */
  answer: string | null;
  retryAfter: string | null;
  tookMs: number;
}

export interface LoaderOptions {
  /** Asked before each post, so that the load can move to another process. */
  readonly baseUrl: () => string;
  /** Posts under way at once. */
  readonly concurrency: number;
  readonly type?: string;
  readonly tenant?: string;
  /** How many events to send; endless until `stop` without it. */
  readonly count?: number;
  /** Between two posts of one slot, to keep an endless load within what the machine can do. */
  readonly paceMs?: number;
}

export interface Loader {
  /** Every event that was sent, with what the producer knows of it. */
  readonly history: readonly SentEvent[];
  /** Resolves when this many events are acknowledged. */
  acknowledged(count: number): Promise<void>;
  /** Sends no more; resolves when every post under way has come to an end. */
  stop(): Promise<readonly SentEvent[]>;
  /** Resolves when `count` events were sent. */
  readonly done: Promise<void>;
}

const AWAY_MS = 200;
let loaders = 0;

/** A producer that posts events, each with its own idempotency key, and keeps its own history. */
export function startLoader(options: LoaderOptions): Loader {
  const { concurrency, count = Number.POSITIVE_INFINITY, paceMs = 0 } = options;
  const prefix = `load-${process.pid}-${loaders++}`;
  const history: SentEvent[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  let isStopped = false;
  const acknowledgements = () => history.filter((sent) => sent.outcome === 'ok').length;
  const slot = async () => {
    while (!isStopped && history.length < count) {
      const sent = newSent(`${prefix}-${history.length}`);
      history.push(sent);
      await send(sent, options);
      const known = acknowledgements();
      for (const waiter of waiting) if (known >= waiter.count) waiter.resolve();
      waiting = waiting.filter((waiter) => known < waiter.count);
      // However long nobody is there, it is not thousands of posts that find that out.
      const pauseMs = sent.status === null ? Math.max(paceMs, AWAY_MS) : paceMs;
      if (pauseMs > 0) await delay(pauseMs);
    }
  };
  const done = Promise.all(Array.from({ length: concurrency }, slot)).then(() => {});
  return {
    history,
    done,
    acknowledged: (wanted) => {
      if (acknowledgements() >= wanted) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count: wanted, resolve }));
    },
    stop: async () => {
      isStopped = true;
      await done;
      return history;
    },
  };
}

type Resending = Pick<LoaderOptions, 'baseUrl' | 'type' | 'tenant'>;

/** Sends an event of the history once more under its key, as a producer does that got no answer, until there is one: a busy machine says 503 first. */
export async function resend(sent: SentEvent, options: Resending): Promise<void> {
  await eventually(
    async () => {
      await send(sent, options);
      return sent.status;
    },
    (status) => status !== null && status < 500,
  );
}

/** The same with all that was not acknowledged. What was refused for good stays refused. */
export async function resendUnknown(history: readonly SentEvent[], options: Resending): Promise<void> {
  for (const sent of history) if (sent.outcome === 'unknown') await resend(sent, options);
}

function newSent(key: string): SentEvent {
  return { key, outcome: 'unknown', status: null, id: null, answer: null, retryAfter: null, tookMs: 0 };
}

async function send(
  sent: SentEvent,
  { baseUrl, type = 'load.test', tenant = TENANT }: Omit<LoaderOptions, 'concurrency'>,
) {
  const event = { type, tenant_id: tenant, data: { key: sent.key }, metadata: { idempotency_key: sent.key } };
  const startedAt = performance.now();
  const answer = await call(baseUrl(), 'POST', '/v1/events', event).catch(() => null);
  sent.tookMs = performance.now() - startedAt;
  sent.status = answer?.status ?? null;
  sent.retryAfter = answer?.headers.get('retry-after') ?? null;
  if (answer?.status === 202) {
    sent.outcome = 'ok';
    sent.id = answer.body.id;
    sent.answer = answer.body.status;
  } else if (answer !== null && answer.status < 500) sent.outcome = 'failed';
}
