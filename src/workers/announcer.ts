import { systemType } from '../domain/notice.ts';
import type { UnitResult } from '../ingest/plan-group.ts';
import type { PendingEvent } from '../ingest/seal-event.ts';
import { matchesType } from '../routing/type-pattern.ts';
import {
  type AnnouncedAttempt,
  type AnnouncedEndpoint,
  type AttemptKey,
  MOST_SUBSCRIBERS,
  type SystemSubscriber,
} from '../store/announcement-facts.ts';
import type { Announcement, NoticeSample } from '../store/announcements.ts';
import { announcementEvents, MOST_NAMED } from './announcement-events.ts';

/** What the announcer asks of Postgres: each a batch, each one statement. */
export interface AnnouncementStore {
  fold(limit: number): Promise<number>;
  claim(limit: number): Promise<Announcement[]>;
  end(ids: readonly string[]): Promise<void>;
  forgetQuiet(): Promise<void>;
  subscribers(tenantNums: readonly number[]): Promise<SystemSubscriber[]>;
  endpoints(nums: readonly number[]): Promise<Map<number, AnnouncedEndpoint>>;
  attempts(keys: readonly AttemptKey[]): Promise<AnnouncedAttempt[]>;
}

export interface AnnouncerOptions {
  readonly store: AnnouncementStore;
  /** Stores one event, or tells why not; see `GroupCommit.submit`. */
  readonly submit: (unit: readonly [PendingEvent]) => Promise<UnitResult>;
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** Called once an announcement has ended; `events` is 0 when nobody wanted to know, or filters take too long to tell. */
  readonly onAnnounced: (announcement: Announcement, events: number) => void;
}

/** Bounds of a statement and of what is in memory: notices folded at once, announcements under way. */
const FOLD_SIZE = 10_000;
const CLAIM_SIZE = 100;

/**
 * Makes system events of notices, through the ordinary ingest. Notices are folded by endpoint and kind, and those of many endpoints gathered,
 * so that a storm of them costs a row; what is claimed and not ended, because ingest or Postgres was away or the process died, is tried again.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  #running: Promise<void> | null = null;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Tells all that is to be told now. One round at a time: a second caller waits for the one under way. */
  runOnce(signal?: AbortSignal): Promise<void> {
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when no round is under way. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  async #run(signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#options;
    while ((await store.fold(FOLD_SIZE)) === FOLD_SIZE) if (signal?.aborted === true) return;
    let claimed: readonly Announcement[];
    do {
      claimed = await store.claim(CLAIM_SIZE);
      if (claimed.length > 0) await this.#announce(claimed);
    } while (claimed.length > 0 && signal?.aborted !== true);
    await store.forgetQuiet();
  }

  /** @throws the first failure, when those that did not fail have ended */
  async #announce(claimed: readonly Announcement[]): Promise<void> {
    const { store, onAnnounced } = this.#options;
    const subscribers = await store.subscribers([...new Set(claimed.map(({ tenantNum }) => tenantNum))]);
    const wanted = claimed.filter((announcement) => isWanted(announcement, subscribers));
    const events = await this.#eventsOf(wanted);
    const tried = await Promise.allSettled(
      claimed.map(async (announcement) => {
        const made = events.get(announcement) ?? [];
        const taken = await Promise.all(made.map((event) => this.#store(event)));
        return { announcement, events: taken.filter(Boolean).length };
      }),
    );
    const ended = tried.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
    if (ended.length > 0) await store.end(ended.map(({ announcement }) => announcement.id));
    for (const { announcement, events } of ended) onAnnounced(announcement, events);
    const failed = tried.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #eventsOf(announcements: readonly Announcement[]): Promise<Map<Announcement, PendingEvent[]>> {
    if (announcements.length === 0) return new Map();
    const { store, nowMs } = this.#options;
    const [endpoints, attempts] = await Promise.all([
      store.endpoints(announcements.flatMap(({ endpointNums }) => endpointNums.slice(0, MOST_NAMED))),
      store.attempts(announcements.flatMap(attemptsOf)),
    ]);
    const byKey = new Map(attempts.map((attempt) => [keyOf(attempt), attempt]));
    const attemptOf = (sample: NoticeSample) => byKey.get(keyOf(sample));
    const endpointOf = (num: number) => endpoints.get(num);
    return new Map(
      announcements.flatMap((announcement) => {
        const endpoint = announcement.endpointNums.map(endpointOf).find((each) => each !== undefined);
        if (endpoint === undefined) return [];
        const facts = { endpoint, endpointOf, attemptOf, nowMs: nowMs() };
        return [[announcement, announcementEvents(announcement, facts)] as const];
      }),
    );
  }

  /**
   * What the ingest answers without throwing is an end: stored now, stored by a try before this one, or its tenant is gone, or has filters
   * that take too long for it.
   * @returns whether anybody may be told
   */
  async #store(event: PendingEvent): Promise<boolean> {
    const result = await this.#options.submit([event]);
    switch (result.kind) {
      case 'accepted':
      case 'conflict':
      case 'tenant_gone':
        return true;
      case 'too_costly':
        return false;
      case 'types_changed':
      case 'too_many_deliveries':
      case 'independent':
        throw new Error(`A system event met ${result.kind}, as no single event of ours does.`);
    }
  }
}

function isWanted({ tenantNum, endpointNums, kind }: Announcement, subscribers: readonly SystemSubscriber[]): boolean {
  const ours = subscribers.filter((subscriber) => subscriber.tenantNum === tenantNum);
  if (ours.length >= MOST_SUBSCRIBERS) return true;
  const about = new Set(endpointNums);
  const type = systemType(kind);
  return ours.some(({ num, patterns }) => !about.has(num) && patterns.some((pattern) => matchesType(pattern, type)));
}

function attemptsOf({ samples }: Announcement): AttemptKey[] {
  return samples.flatMap(({ endpointNum, eventUuid, attempt }) =>
    eventUuid === null || attempt === null ? [] : [{ eventUuid, endpointNum, attempt }],
  );
}

function keyOf({ eventUuid, endpointNum, attempt }: Pick<NoticeSample, 'eventUuid' | 'endpointNum' | 'attempt'>) {
  return `${eventUuid}/${endpointNum}/${attempt}`;
}
