import { type SourceInput, storedSource } from '../config/source-schema.ts';
import { joinSecrets } from '../config/source-secrets.ts';
import type { Context } from '../context.ts';
import { publishRejected } from '../store/publish-rejected.ts';
import { claimRetries, forgetRetried, keepRejected } from '../store/rejected-messages.ts';
import { recallStarts } from '../store/source-starts.ts';
import type { OpenSource } from '../store/sources.ts';
import { trimRejected } from '../store/trim-rejected.ts';
import { createIntake, type SourceIntake } from './create-intake.ts';
import type { DeadLetterPublisher } from './dead-letter-publisher.ts';
import { openTransport } from './open-transport.ts';
import { retryApart } from './retry-apart.ts';
import type { SourceWork } from './supervisor.ts';

/** Messages that are tried again, or published as dead letters, in one round. */
const AT_ONCE = 100;

/**
 * Everything that one process does for a source.
 * @throws Error when its description is not one that this version knows
 */
export function beginSource(source: OpenSource, process: string, context: Context): SourceWork {
  const { apiPool: pool, observe } = context;
  const input = inputOf(source);
  // What an earlier process left is looked at once.
  let mayBeTooMany = true;
  const intake = createIntake({
    source: { id: source.id, name: source.name, tenantId: input.tenant_id },
    mapping: input.mapping,
    accept: context.accept,
    limits: context.ingestLimits,
    reject: async (messages, isRetry) => {
      const options = { isRetry, publish: input.on_rejected !== undefined, nowMs: context.clock.nowMs() };
      const kept = await keepRejected(pool, source.num, messages, options);
      mayBeTooMany ||= kept > 0;
      return kept;
    },
    onTaken: (counts) => observe.sources.messagesTaken(input.type, counts),
    onRejected: (reasons) => observe.sources.messagesRejected({ source: source.name, reasons }),
  });
  const transport = openTransport(input, {
    clientId: `posthorn-${process}`,
    intake: intake.take,
    recallStarts: (scope, look) => recallStarts(pool, source.num, scope, look),
    maxEventBytes: context.config.MAX_EVENT_BYTES,
    onFailure: (error) => observe.workFailed(`source ${source.name}`, error),
    onOutOfRange: (found) => observe.sources.outOfRange({ source: source.name, ...found }),
    onStartDeleted: (found) => observe.sources.startDeleted({ source: source.name, ...found }),
    onHolding: (reason, change) => observe.sources.holding(reason, change),
  });
  const { deadLetters } = transport;
  let most = AT_ONCE;
  return {
    consumer: transport.consumer,
    counts: intake.counts,
    runOnce: async () => {
      await retrySome(source, intake, context);
      if (mayBeTooMany) {
        mayBeTooMany = false;
        await trim(source, context);
      }
      if (deadLetters === null) return;
      const some = most;
      // After a failure one finds out whether they can be published again: claims of all of them, once a second, would be much to write.
      most = 1;
      await publishSome(source, deadLetters, some, context);
      most = AT_ONCE;
    },
    close: async () => deadLetters?.close(),
  };
}

function inputOf(source: OpenSource): SourceInput {
  const parsed = storedSource.safeParse(joinSecrets({ plain: source.config, secrets: source.secrets }));
  if (parsed.success) return parsed.data;
  throw new Error(`The source ${source.name} is described in a way that this version does not know.`);
}

/** Tries rejected messages again that someone asked for. They come when they come: not in their old order among others. */
async function retrySome(source: OpenSource, intake: SourceIntake, { apiPool: pool }: Context): Promise<void> {
  if (source.paused) return;
  const rows = await claimRetries(pool, source.num, AT_ONCE);
  if (rows.length === 0) return;
  // Those whose tenant may not send them now come again when the claim has run out.
  const done = await retryApart(rows, intake.retry);
  if (done.length > 0) await forgetRetried(pool, source.num, done);
}

async function publishSome(source: OpenSource, to: DeadLetterPublisher, most: number, context: Context): Promise<void> {
  const { apiPool: pool, observe } = context;
  const { notTaken } = await publishRejected(pool, source.num, most, (messages) => to.publish(messages));
  if (notTaken.size > 0)
    observe.sources.deadLettersRefused({ source: source.name, reasons: new Set(notTaken.values()) }, notTaken.size);
}

async function trim(source: OpenSource, { apiPool: pool, config, observe }: Context): Promise<void> {
  const { dropped, unpublished } = await trimRejected(pool, source.num, config.REJECTED_MESSAGES_PER_SOURCE);
  if (dropped > 0) observe.sources.rejectedDropped({ source: source.name, count: dropped, unpublished });
}
