import { setTimeout as delay } from 'node:timers/promises';
import { type History, KNOWN } from './history.ts';
import { type HttpAnswer, type HttpClient, NOBODY } from './http-client.ts';
import type { Random } from './random.ts';
import type { Route } from './routes.ts';

export interface ProducerOptions {
  readonly client: HttpClient;
  readonly history: History;
  readonly routes: readonly Route[];
  /** Of `routes`, those that this producer posts to, in turn. */
  readonly uses: readonly number[];
  /** Asked before each post; null while no API runs. */
  readonly api: () => string | null;
  readonly random: Random;
  readonly perSecond: number;
  /** Posts under way at once. */
  readonly slots: number;
  /** Events in one post. */
  readonly batch: number;
  /** Stops by itself after so many events. */
  readonly events?: number;
  /** With subjects each slot posts the events of a subject one after the other, so that their numbers are their order. */
  readonly subjects?: number;
  /** Bytes that each event carries besides. */
  readonly padding?: number;
}

/** Share of the posts without an answer, or with a 503, that the client sends once more under the same key. */
const RESENT = 0.7;
/** Share of the acknowledged posts that it sends once more: the answer must be the same id. */
const DOUBTED = 0.02;
const PAUSE_MS = 100;
const MOST_TIMES = 100_000;

/** A client that posts events at a steady rate and keeps its history. */
export class Producer {
  readonly done: Promise<void>;
  /** From when posts were due to their acknowledgement, in ms; of a long run the first. */
  readonly tookMs: number[] = [];
  readonly #options: ProducerOptions;
  readonly #padding: string;
  readonly #startedAt = performance.now();
  #isStopped = false;
  #posted = 0;
  #turns = 0;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#padding = 'x'.repeat(options.padding ?? 0);
    this.done = Promise.all(Array.from({ length: options.slots }, (_, slot) => this.#run(slot))).then(() => {});
  }

  /** Posts no more; resolves when every post under way has come to an end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.done;
  }

  async #run(slot: number): Promise<void> {
    const { batch, events = Number.POSITIVE_INFINITY } = this.#options;
    for (let turn = 0; ; turn++) {
      const dueAt = await this.#untilDue();
      if (this.#isStopped || this.#posted >= events) return;
      const size = Math.min(batch, events - this.#posted);
      this.#posted += size;
      await this.#post(this.#newEvents(size, slot, turn), dueAt);
    }
  }

  /**
   * The rate holds over the whole run: what an outage held up is caught up with, a little faster.
   * @returns when the post was due: what waits for a slot because others hang is late all the same
   */
  async #untilDue(): Promise<number> {
    const { perSecond } = this.#options;
    for (;;) {
      const dueAt = this.#startedAt + (this.#posted / perSecond) * 1000;
      const dueInMs = dueAt - performance.now();
      if (dueInMs <= 0 || this.#isStopped) return dueAt;
      await delay(Math.min(dueInMs, PAUSE_MS));
    }
  }

  #newEvents(size: number, slot: number, turn: number): number[] {
    const { history, uses, subjects = 0, slots } = this.#options;
    const own = Math.max(1, Math.ceil((subjects - slot) / slots));
    return Array.from({ length: size }, (_, i) => {
      const subject = subjects === 0 ? 0 : 1 + slot + ((turn * size + i) % own) * slots;
      return history.add(uses[this.#turns++ % uses.length]!, subject);
    });
  }

  async #post(events: readonly number[], dueAt: number): Promise<void> {
    const { random, subjects = 0 } = this.#options;
    const dueAtMs = Math.round(Date.now() - (performance.now() - dueAt));
    const bodies = events.map((event) => this.#body(event, dueAtMs));
    while (!(await this.#try(events, bodies))) {
      // An order within a subject is one only if the next event waits for the last.
      const isGivenUp = subjects === 0 && (this.#isStopped || random() >= RESENT);
      if (isGivenUp) return;
      await delay(PAUSE_MS);
    }
    if (this.tookMs.length < MOST_TIMES) this.tookMs.push(performance.now() - dueAt);
    if (random() < DOUBTED) await this.#try(events, bodies);
  }

  /** @returns whether the client knows what became of the events. */
  async #try(events: readonly number[], bodies: readonly object[]): Promise<boolean> {
    const { client, api, history } = this.#options;
    const baseUrl = api();
    if (baseUrl === null) return false;
    const startedAt = performance.now();
    const answer = await client.call(baseUrl, 'POST', '/v1/events', bodies.length === 1 ? bodies[0] : bodies);
    const tookMs = performance.now() - startedAt;
    if (answer === NOBODY) return false;
    if (answer === null) history.noAnswer(events);
    else if (answer.status === 202) acceptAll(history, events, answer);
    else for (const event of events) history.refuse(event, { ...answer, code: codeOf(answer), tookMs });
    return events.every((event) => history.known(event) !== KNOWN.unknown);
  }

  #body(event: number, dueAtMs: number) {
    const { history, routes } = this.#options;
    const { tenant, type } = routes[history.routeOf(event)]!;
    const subject = history.subjectOf(event);
    return {
      type,
      tenant_id: tenant,
      ...(subject === 0 ? {} : { subject: `subject-${subject}` }),
      // The same in every post of the event: another body under one key would be refused.
      data: { n: event, t: dueAtMs, ...(this.#padding === '' ? {} : { padding: this.#padding }) },
      metadata: { idempotency_key: `event-${event}` },
    };
  }
}

function acceptAll(history: History, events: readonly number[], { text }: HttpAnswer): void {
  const body = JSON.parse(text) as Accepted | { items: Accepted[] };
  const items = 'items' in body ? body.items : [body];
  for (const [place, event] of events.entries()) {
    const { id = '', status } = items[place] ?? {};
    history.accept(event, id, status === 'duplicate');
  }
}

interface Accepted {
  readonly id?: string;
  readonly status?: string;
}

function codeOf({ text }: HttpAnswer): string {
  try {
    return String((JSON.parse(text) as { code?: string }).code ?? '');
  } catch {
    return '';
  }
}
