import { type CallbackWithPromise, Consumer, type ConsumerOptions, type FetchOptions } from '@platformatic/kafka';
import { InflationError } from '../brokers/guard-inflation.ts';
import type { Choice, FetchCaution, FetchSize, WantedPartition } from './fetch-caution.ts';
import { FetchRoom } from './fetch-room.ts';
import { EARLIEST, LATEST, logOffsets } from './log-offsets.ts';
import { cutOffText, judge, type OutOfRange, type Stray, type Straying, strayingIn } from './out-of-range.ts';

type Wanted = FetchOptions<Buffer, Buffer, Buffer, Buffer>;
type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;

export interface CarefulOptions {
  /** Outlives the consumer. */
  readonly caution: FetchCaution;
  /** Of a topic, by its id. */
  readonly nameOf: (topicId: string) => string;
  /** A partition is held from now on, and why. */
  readonly onHeld: (error: Error) => void;
  /** The group's place in a partition is not in its log: what was deleted is passed over, and one that was cut off is held. */
  readonly onOutOfRange: (found: OutOfRange) => void;
}

/** The broker gives a batch at least, whatever it is asked for. Of a partition alone, one that is there already: the others wait. */
const LIMITS: Readonly<Record<FetchSize, { readonly maxBytes?: number; readonly maxWaitTime?: number }>> = {
  usual: {},
  one: { maxBytes: 1 },
  alone: { maxBytes: 1, maxWaitTime: 0 },
};
/** Time between two answers that were too large, each of which costs time to inflate. */
const RECOVER_MS = 1_000;
const FETCH_WAIT_MS = 500;

const NOTHING: FetchResponse = { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [], nodeEndpoints: [] };

/**
 * A consumer that fetches less at a time where an answer would fill the memory, and leaves alone what cannot be taken at all, or of which too
 * much waits already.
 */
export class CarefulConsumer extends Consumer {
  readonly room = new FetchRoom();
  readonly #options: CarefulOptions;

  constructor(options: ConsumerOptions<Buffer, Buffer, Buffer, Buffer>, careful: CarefulOptions) {
    super(options);
    this.#options = careful;
  }

  override fetch(wanted: Wanted): Promise<FetchResponse>;
  override fetch(wanted: Wanted, callback: CallbackWithPromise<FetchResponse>): void;
  override fetch(wanted: Wanted, callback?: CallbackWithPromise<FetchResponse>): unknown {
    if (callback !== undefined) return this.#fetch(wanted, callback);
    return new Promise((resolve, reject) => {
      this.#fetch(wanted, (error, response) => (response === undefined ? reject(error) : resolve(response)));
    });
  }

  #fetch(asked: Wanted, callback: CallbackWithPromise<FetchResponse>): void {
    const wanted = this.room.limit(asked);
    const choice = this.#options.caution.choose(wanted.topics);
    if (choice.topics.length === 0) {
      setTimeout(() => callback(null, NOTHING), wanted.maxWaitTime ?? FETCH_WAIT_MS);
      return;
    }
    super.fetch({ ...wanted, ...LIMITS[choice.size], topics: choice.topics }, (error, response) => {
      if (response !== undefined) this.room.learn(response.responses, choice.topics);
      // Before all else: once the log has grown, nothing shows it any more.
      const straying = error ? strayingIn(error, choice.topics) : null;
      if (straying !== null) return void this.#recover(straying, callback);
      const inflation = inflationIn(error);
      if (inflation === null) return callback(error, response!);
      this.#refuse(inflation, choice);
      // As if nothing had come: it is asked for in parts, or left alone.
      setTimeout(() => callback(null, NOTHING), RECOVER_MS);
    });
  }

  /** The client by itself goes on at the first message that there is, whatever was the matter, and tells nobody. */
  async #recover({ error, strays, isMixed }: Straying, callback: CallbackWithPromise<FetchResponse>) {
    const found = await this.#judgeAll(strays).catch((failure: Error) => failure);
    if (found instanceof Error) return callback(found);
    // The stream goes on behind what was deleted unless it ends; then it is found, and told, once more.
    for (const [i, one] of found.entries()) if (!isMixed || one?.reason === 'cut_off') this.#settle(strays[i]!, one);
    if (isMixed || found.some((one) => one?.reason === 'deleted')) callback(error);
    else setTimeout(() => callback(null, NOTHING), RECOVER_MS);
  }

  async #judgeAll(strays: readonly Stray[]): Promise<readonly (OutOfRange | null)[]> {
    const { nameOf } = this.#options;
    const places = strays.map(({ topicId, wanted: { partition } }) => ({ topic: nameOf(topicId), partition }));
    const [firsts, ends] = await Promise.all([logOffsets(this, places, EARLIEST), logOffsets(this, places, LATEST)]);
    return strays.map(({ wanted }, i) => {
      const { topic, partition } = places[i]!;
      const [first, end] = [firsts[i], ends[i]];
      if (first === undefined || end === undefined)
        throw new Error(`The broker does not say where ${topic}/${partition} begins and ends.`);
      return judge(wanted, topic, first, end);
    });
  }

  #settle({ answer, topicId, wanted }: Stray, found: OutOfRange | null): void {
    const { caution, onHeld, onOutOfRange } = this.#options;
    if (found?.reason === 'deleted') answer.logStartOffset = found.to;
    else answer.errorCode = 0;
    if (found === null) return;
    onOutOfRange(found);
    if (found.reason === 'cut_off') onHeld(caution.lose(topicId, wanted, cutOffText(found)));
  }

  #refuse(inflation: InflationError, choice: Choice<WantedPartition>): void {
    const { caution, nameOf, onHeld } = this.#options;
    const error = caution.refuse(inflation, choice, nameOf);
    if (error !== null) onHeld(error);
  }
}

/** By itself, or among what failed before a request was tried again. */
function inflationIn(error: unknown): InflationError | null {
  if (error instanceof InflationError) return error;
  const { errors = [] } = (error ?? {}) as { errors?: readonly unknown[] };
  return errors.map(inflationIn).find((found) => found !== null) ?? null;
}
