import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaSource } from '../config/source-schema.ts';
import { redact } from '../observability/fault-of.ts';
import type { Consumer, ConsumerState, SourceLag } from './consumer.ts';
import type { Intake } from './intake.ts';
import type { KafkaSession } from './kafka-session.ts';
import type { RecallStarts } from './kafka-starts.ts';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

export interface KafkaConsumerOptions {
  readonly source: KafkaSource;
  readonly clientId: string;
  readonly intake: Intake;
  readonly recallStarts: RecallStarts;
  readonly onFailure: (error: unknown) => void;
}

/** A source's messages from Kafka: membership after membership in its consumer group, for as long as it is wanted. */
export function createKafkaConsumer(options: KafkaConsumerOptions): Consumer {
  const { source, clientId, intake, recallStarts, onFailure } = options;
  let session: KafkaSession | null = null;
  let isHeld = false;
  let isJoined = false;
  let failures = 0;
  let missing: readonly string[] = [];
  let trouble: string | null = null;
  let failure: string | null = null;
  /** What broke a connection of this session last. */
  let fault: unknown = null;
  let lag: readonly SourceLag[] = [];

  const begin = async () => {
    // The library costs memory and time: a process that consumes nothing of Kafka never loads it.
    const { KafkaSession } = await import('./kafka-session.ts');
    return new KafkaSession({
      source,
      clientId,
      intake,
      recallStarts,
      isHeld: () => isHeld,
      onJoined: (names) => {
        missing = names;
        isJoined = true;
        failure = null;
        failures = 0;
      },
      onLag: (now) => {
        lag = now;
      },
      onTrouble: (error) => {
        trouble = error === null ? null : textOf(error);
        if (error !== null) onFailure(error);
      },
      onCommitFailure: onFailure,
      onFault: (error) => {
        fault = error;
      },
    });
  };

  const runOnce = async (signal: AbortSignal) => {
    fault = null;
    try {
      session = await begin();
      await session.run(signal);
    } catch (error) {
      failures++;
      failure = textOf(error, fault);
      onFailure(error);
      await sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10)), undefined, {
        signal,
      }).catch(() => {});
    } finally {
      session = null;
      isJoined = false;
      lag = [];
    }
  };

  const hold = (held: boolean) => {
    isHeld = held;
    session?.hold(held);
  };

  const kindOf = (): ConsumerState['kind'] => {
    if (failure !== null || missing.length > 0) return 'failing';
    if (isHeld) return 'paused';
    if (trouble !== null) return 'waiting';
    return isJoined ? 'running' : 'starting';
  };

  return {
    run: async (signal) => {
      while (!signal.aborted) await runOnce(signal);
    },
    pause: () => hold(true),
    resume: () => hold(false),
    state: () => ({ kind: kindOf(), error: failure ?? missingText(missing) ?? trouble, lag }),
  };
}

function missingText(missing: readonly string[]): string | null {
  return missing.length === 0 ? null : `The cluster has no topic ${missing.join(', ')}.`;
}

const LONGEST_TEXT = 500;

const CLOSED = 'Connection closed';

/** @param fault what broke a connection, where that is why it was closed */
function textOf(error: unknown, fault: unknown = null): string {
  const messages = messagesOf(error);
  const why = fault !== null && messages.includes(CLOSED) ? messagesOf(fault) : [];
  return redact([...new Set([...messages, ...why])].join(' ')).slice(0, LONGEST_TEXT);
}

/** What the client says lies beneath: the first line alone is "Connection to … failed" and the like. */
function messagesOf(error: unknown): readonly string[] {
  const { message, errors, cause } = (error ?? {}) as {
    message?: string;
    errors?: readonly unknown[];
    cause?: unknown;
  };
  const beneath = [...(errors ?? []).slice(0, 2), ...(cause === undefined ? [] : [cause])].flatMap(messagesOf);
  return [...new Set([message ?? String(error), ...beneath])];
}
