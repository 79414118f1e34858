import { decide } from '../delivery/decide.ts';
import type { GateNews } from '../delivery/gate.ts';
import { isSystemEvent } from '../delivery/is-system-event.ts';
import { noticeOf } from '../delivery/notice-of.ts';
import { DAY_MS } from '../delivery/retry-policy.ts';
import { uuidTime } from '../domain/ids.ts';
import type { Decision, Outcome } from '../domain/outcome.ts';
import type { AttemptIds } from '../observability/facts.ts';
import { startOfDay } from '../store/partitions.ts';
import type { SettledAttempt } from '../store/settle.ts';
import type { Desk } from './desk.ts';
import { deliveryIdOfLetter, type Letter } from './letter-queue.ts';

export interface AttemptCloserOptions {
  /** Postgres's clock. */
  readonly nowMs: () => number;
  /** How long events are kept; for ever without it. */
  readonly retentionMs: number | undefined;
  readonly settle: (attempt: SettledAttempt) => void;
  readonly onAttempt: (attempt: SettledAttempt, ids: AttemptIds) => void;
  /** `isOfSystemEvent`: whether the delivery of a system event brought it. */
  readonly onGateNews: (news: GateNews, desk: Desk, isOfSystemEvent: boolean) => void;
  /**
   * Takes the endpoint out of service. Never rejects.
   * @returns false if the endpoint was changed meanwhile, so that the reason no longer holds
   */
  readonly disable: (desk: Desk, reason: string) => Promise<boolean>;
}

export interface Ending {
  readonly startedAtMs: number;
  readonly outcome: Outcome;
  /** Whether it is a fault of our own egress. */
  readonly isOurs: boolean;
  /** See `DecisionContext`. */
  readonly lastsMs?: number;
  /** See `DecisionContext`. */
  readonly isOutdated: boolean;
  /** What the endpoint's gate made of it. */
  readonly news: readonly GateNews[];
}

/** The end of an attempt: decide → settle, and what follows for the endpoint. */
export class AttemptCloser {
  readonly #options: AttemptCloserOptions;
  /** Attempts that have ended, while it is being found out what follows. */
  undecided = 0;

  constructor(options: AttemptCloserOptions) {
    this.#options = options;
  }

  close(letter: Letter, ending: Ending, desk: Desk): void {
    const decision = this.#decide(letter, ending, desk);
    if (decision.kind !== 'disable') {
      this.#end(letter, ending, desk, decision);
      return;
    }
    // What becomes of the delivery depends on whether the endpoint still has the receiver that asked for it.
    this.undecided++;
    void this.#options.disable(desk, decision.reason).then((isDisabled) => {
      this.undecided--;
      const decided = isDisabled ? decision : this.#decide(letter, { ...ending, isOutdated: true }, desk);
      this.#end(letter, ending, desk, decided);
    });
  }

  #decide({ due }: Letter, { outcome, isOurs, lastsMs = 0, isOutdated }: Ending, { target }: Desk): Decision {
    const nowMs = this.#options.nowMs();
    return decide(outcome, {
      step: due.step,
      schedule: target?.retryScheduleMs ?? [],
      random: Math.random,
      nowMs,
      isOurs,
      lastsMs,
      // Of what is done nothing is left to do in it.
      leftMs: outcome.kind === 'delivered' ? 0 : this.#leftMs(due.eventUuid, nowMs),
      isOutdated,
    });
  }

  /** Events are dropped by days, UTC. */
  #leftMs(eventUuid: string, nowMs: number): number {
    return startOfDay(uuidTime(eventUuid)) + DAY_MS + (this.#options.retentionMs ?? Number.POSITIVE_INFINITY) - nowMs;
  }

  #end(letter: Letter, { startedAtMs, outcome, news }: Ending, desk: Desk, decision: Decision): void {
    const { due, body } = letter;
    const { target } = desk;
    const { eventUuid, endpointNum, tenantNum, lane } = due;
    const attempt = {
      eventUuid,
      endpointNum,
      tenantNum,
      lane,
      attempt: due.attempt + 1,
      isReplay: due.isReplay,
      startedAtMs,
      outcome,
      decision,
      notice: noticeOf(decision, due.step, body.body),
      mayPauseKey: due.order !== null && target?.onDeadLetter === 'pause' && isDeadLettering(decision),
    };
    this.#options.settle(attempt);
    this.#options.onAttempt(attempt, {
      deliveryId: deliveryIdOfLetter(letter),
      tenantId: target?.tenantId ?? '',
      endpointId: target?.id ?? '',
    });
    for (const each of news) this.#options.onGateNews(each, desk, isSystemEvent(body.body));
    const reason = reasonToDisable(decision, news);
    if (reason !== null) void this.#options.disable(desk, reason);
  }
}

function isDeadLettering({ kind }: Decision): boolean {
  return kind === 'dead_letter' || kind === 'disable';
}

/** What follows for the endpoint beside the decision. */
function reasonToDisable(decision: Decision, news: readonly GateNews[]): string | null {
  if (decision.kind === 'disable') return null;
  if (decision.kind === 'done' && decision.disable !== undefined) return decision.disable;
  const wornOut = news.find((each) => each.kind === 'worn_out');
  if (wornOut === undefined) return null;
  return `Nothing was delivered for five days, since ${new Date(wornOut.failingSinceMs).toISOString()}.`;
}
