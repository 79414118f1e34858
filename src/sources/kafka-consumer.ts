import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaSource } from '../config/source-schema.ts';
import type { Consumer, SourceLag } from './consumer.ts';
import { FetchCaution, type OnHolding } from './fetch-caution.ts';
import type { Intake } from './intake.ts';
import { isOfTenant } from './is-of-tenant.ts';
import { KafkaHealth } from './kafka-health.ts';
import type { DeletedStart } from './kafka-positions.ts';
import type { KafkaSession, SessionOptions } from './kafka-session.ts';
import type { RecallStarts } from './kafka-starts.ts';
import type { OutOfRange } from './out-of-range.ts';

export interface KafkaConsumerOptions {
  readonly source: KafkaSource;
  readonly clientId: string;
  readonly intake: Intake;
  readonly recallStarts: RecallStarts;
  readonly onFailure: (error: unknown) => void;
  /** The group's place in a partition is not in its log. */
  readonly onOutOfRange: (found: OutOfRange) => void;
  /** The group has no place in a partition, and where the source first began was deleted. */
  readonly onStartDeleted: (found: DeletedStart) => void;
  /** Partitions that are left alone, by one more or less. */
  readonly onHolding: OnHolding;
  /** For tests. */
  readonly openSession?: (options: SessionOptions) => Promise<Session>;
}

type Session = Pick<KafkaSession, 'run' | 'hold'>;

/** The library costs memory and time: a process that consumes nothing of Kafka never loads it. */
async function loadSession(options: SessionOptions): Promise<Session> {
  const { KafkaSession } = await import('./kafka-session.ts');
  return new KafkaSession(options);
}

/** A source's messages from Kafka: membership after membership in its consumer group, for as long as it is wanted. */
export function createKafkaConsumer(options: KafkaConsumerOptions): Consumer {
  const { source, clientId, intake, recallStarts, onFailure, onOutOfRange, onStartDeleted, onHolding } = options;
  const { openSession = loadSession } = options;
  const caution = new FetchCaution(undefined, onHolding);
  const health = new KafkaHealth(() => caution.error);
  let session: Session | null = null;
  let isHeld = false;
  /** What broke a connection of this session last. */
  let fault: unknown = null;
  let lag: readonly SourceLag[] = [];

  const begin = () =>
    openSession({
      source,
      clientId,
      intake,
      recallStarts,
      caution,
      onFetched: () => health.prosper(),
      isHeld: () => isHeld,
      onJoined: (missing) => health.join(missing),
      onLag: (now) => {
        lag = now;
      },
      onTrouble: (error) => {
        health.setTrouble(error);
        // A tenant that sends more than it may is no failure: the state says so.
        if (error !== null && !isOfTenant(error)) onFailure(error);
      },
      onCommitFailure: onFailure,
      onLookFailure: onFailure,
      onHeld: onFailure,
      onOutOfRange,
      onStartDeleted,
      onFault: (error) => {
        fault = error;
      },
    });

  const runOnce = async (signal: AbortSignal) => {
    fault = null;
    try {
      session = await begin();
      await session.run(signal);
    } catch (error) {
      health.fail(error, fault);
      onFailure(error);
      await sleep(health.waitMs, undefined, { signal }).catch(() => {});
    } finally {
      session = null;
      health.leave();
      lag = [];
    }
  };

  const hold = (held: boolean) => {
    isHeld = held;
    session?.hold(held);
  };

  return {
    run: async (signal) => {
      while (!signal.aborted) await runOnce(signal);
      // What is held is whoever's concern consumes it next.
      caution.assign(new Set());
    },
    pause: () => hold(true),
    resume: () => hold(false),
    state: () => ({ kind: health.kind(isHeld), error: health.error, lag }),
  };
}
