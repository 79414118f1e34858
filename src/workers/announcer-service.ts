import type { Context } from '../context.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { announcedAttempts, announcedEndpoints, systemSubscribers } from '../store/announcement-facts.ts';
import { endAnnouncements, foldNotices, forgetQuietWindows } from '../store/announcements.ts';
import { claimAnnouncements } from '../store/claim-announcements.ts';
import { type AnnouncementStore, Announcer } from './announcer.ts';

/** Notices of other processes, and of the API, are found within this time. */
const ANNOUNCE_MS = 1_000;
/** How long a wake waits for company: in a storm, what settles in between is folded together. */
const GATHER_MS = 50;

export interface AnnouncerService extends Service {
  /** This process has written notices: they need not wait for the next round. */
  readonly wake: () => void;
}

/** Every worker has one: who folds notices and who claims an announcement is settled in Postgres. */
export function announcerService({ workerPool: pool, commits, clock, observe }: Context): AnnouncerService {
  const announcer = new Announcer({
    store: announcementStore(pool),
    submit: (unit) => commits.submit(unit),
    nowMs: () => clock.nowMs(),
    onAnnounced: (announcement, events) =>
      observe.noticesTold({ ...announcement, endpoints: announcement.endpointNums.length, events }),
  });
  const stopping = new AbortController();
  const onFailure = (name: string, error: unknown) => observe.workFailed(name, error);
  const name = 'system events';
  const rounds = periodic(name, ANNOUNCE_MS, () => announcer.runOnce(stopping.signal), onFailure);
  let gathering: NodeJS.Timeout | undefined;
  return {
    ...rounds,
    wake: () => {
      if (stopping.signal.aborted) return;
      gathering ??= setTimeout(() => {
        gathering = undefined;
        announcer.runOnce(stopping.signal).catch((error: unknown) => onFailure(name, error));
      }, GATHER_MS);
    },
    stop: async (deadlineMs) => {
      stopping.abort();
      clearTimeout(gathering);
      await rounds.stop(deadlineMs);
      await announcer.idle();
    },
  };
}

export function announcementStore(pool: Context['workerPool']): AnnouncementStore {
  return {
    fold: (limit) => foldNotices(pool, limit),
    claim: (limit) => claimAnnouncements(pool, limit),
    end: (ids) => endAnnouncements(pool, ids),
    forgetQuiet: () => forgetQuietWindows(pool),
    subscribers: (tenantNums) => systemSubscribers(pool, tenantNums),
    endpoints: (nums) => announcedEndpoints(pool, nums),
    attempts: (keys) => announcedAttempts(pool, keys),
  };
}
