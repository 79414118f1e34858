import type { AcceptedEvent } from './api.ts';
import { type BatchLimits, bodyBytes, bodyOf, takeBatch } from './batches.ts';
import type { PosthornError } from './errors.ts';
import type { Parcel } from './pack-event.ts';
import { readEvent } from './read-event.ts';
import { type EventRefusal, isOfEvent, judge, mayBeStored, type RefusedEvent } from './refusals.ts';
import type { SendOutcome } from './send-error.ts';
import { storedItems } from './stored-items.ts';

/** Posts one body, as often as it takes. @throws when it gives up */
export type Post = (body: string) => Promise<unknown>;

/**
 * Sends events in their order, one request after the other, and says what became of each. What is refused does not hold up the rest; where
 * nobody knows what became of a request, nothing is sent after it, so that the order holds when the rest is sent again.
 * @param signal the one that ends `post`
 */
export async function sendParcels(
  parcels: readonly Parcel[],
  post: Post,
  limits: BatchLimits,
  signal: AbortSignal | undefined,
): Promise<SendOutcome[]> {
  const sending = new Sending(parcels, limits);
  for (let batch = sending.next(); batch.length > 0; batch = sending.next()) {
    try {
      sending.stored(batch, storedItems(await post(bodyOf(batch)), batch));
    } catch (error) {
      // A reason for an abort may be of any class, an answer's too: it says nothing of the events.
      if (signal?.aborted) sending.giveUp(batch, error);
      else sending.failed(batch, error);
    }
  }
  return sending.outcomes();
}

/** Those that may be sent together, the first of them at `next`. */
interface Stretch {
  readonly parcels: readonly Parcel[];
  next: number;
}

type Fate =
  | AcceptedEvent
  | ({ readonly status: 'refused'; readonly error: PosthornError } & RefusedEvent)
  | ({ readonly status: 'undecided'; readonly error: unknown } & EventRefusal);

/** Of an event of which no answer says anything. */
const NOT_REFUSED: EventRefusal = { code: null, faults: [] };

class Sending {
  readonly #parcels: readonly Parcel[];
  readonly #fates: Fate[] = [];
  /** Those that an earlier request may have stored: that a later one is refused does not say that they are not. */
  readonly #maybeStored = new Set<number>();
  /** The last one goes first. */
  readonly #waiting: Stretch[] = [];
  readonly #given: BatchLimits;
  #limits: BatchLimits;

  constructor(parcels: readonly Parcel[], limits: BatchLimits) {
    this.#parcels = parcels;
    this.#given = limits;
    this.#limits = limits;
    this.#sendFirst(parcels);
  }

  /** Takes what goes next; none when all is decided. */
  next(): readonly Parcel[] {
    const stretch = this.#waiting.at(-1);
    if (stretch === undefined) return [];
    const batch = takeBatch(stretch.parcels, stretch.next, this.#limits);
    stretch.next += batch.length;
    if (stretch.next >= stretch.parcels.length) this.#waiting.pop();
    return batch;
  }

  /** In the order of the events. The events are those of the texts: what the caller has may have changed since. */
  outcomes(): SendOutcome[] {
    return this.#parcels.map(({ index, text }) => {
      const fate = this.#fates[index] ?? undecided(new Error('The event was not sent.'), NOT_REFUSED);
      return { ...fate, event: readEvent(text), text };
    });
  }

  stored(batch: readonly Parcel[], items: readonly AcceptedEvent[]): void {
    for (const [i, { index }] of batch.entries()) this.#fates[index] = items[i]!;
  }

  failed(batch: readonly Parcel[], error: unknown): void {
    if (mayBeStored(error)) for (const { index } of batch) this.#maybeStored.add(index);
    const verdict = judge(error, batch.length);
    switch (verdict.kind) {
      case 'some_refused':
        // It was too large by itself: the requests before it were not, for all that anybody knows.
        if (verdict.isSize) this.#limits = this.#given;
        for (const [place, refusal] of verdict.refusals) this.#refuse(batch[place]!, error as PosthornError, refusal);
        this.#sendFirst(batch.filter((_, place) => !verdict.refusals.has(place)));
        return;
      case 'too_much':
        this.#halve(batch, verdict);
        return;
      case 'undecided':
        this.giveUp(batch, error);
    }
  }

  /** Nothing is sent any more. */
  giveUp(batch: readonly Parcel[], error: unknown): void {
    const waiting = this.#waiting.splice(0).flatMap(({ parcels, next }) => parcels.slice(next));
    for (const { index } of [...batch, ...waiting]) this.#fates[index] = undecided(error, NOT_REFUSED);
  }

  #refuse({ index }: Parcel, error: PosthornError, refusal: EventRefusal): void {
    const isRefused = isOfEvent(refusal) && !this.#maybeStored.has(index);
    this.#fates[index] = isRefused ? { ...refusal, status: 'refused', error } : undecided(error, refusal);
  }

  #sendFirst(...groups: (readonly Parcel[])[]): void {
    for (const parcels of groups.toReversed()) if (parcels.length > 0) this.#waiting.push({ parcels, next: 0 });
  }

  /** What was too much at once is so for those behind it as well. */
  #halve(batch: readonly Parcel[], { isSize, isCount }: { readonly isSize: boolean; readonly isCount: boolean }): void {
    const middle = Math.ceil(batch.length / 2);
    const halves = [batch.slice(0, middle), batch.slice(middle)];
    const { maxEvents } = this.#limits;
    if (isSize)
      this.#limits = { maxEvents: isCount ? middle : maxEvents, maxBytes: Math.max(...halves.map(bodyBytes)) };
    this.#sendFirst(...halves);
  }
}

function undecided(error: unknown, refusal: EventRefusal): Fate {
  return { ...refusal, status: 'undecided', error };
}
