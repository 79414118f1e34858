import type { AcceptedBatch, AcceptedEvent, NewEvent } from './api.ts';
import { type BatchLimits, bodyBytes, bodyOf, type Parcel, packEvent, takeBatch } from './batches.ts';
import { NoAnswerError, type PosthornError } from './errors.ts';
import { judge } from './refusals.ts';
import type { SendOutcome } from './send-error.ts';

/** Posts one body, as often as it takes. @throws when it gives up */
export type Post = (body: string) => Promise<unknown>;

/**
 * Sends events in their order, one request after the other, and says what became of each. What is refused does not hold up the rest; where
 * nobody knows what became of a request, nothing is sent after it, so that the order holds when the rest is sent again.
 * @throws TypeError for an event that is no JSON, before anything is sent
 */
export async function sendEvents(events: readonly NewEvent[], post: Post, limits: BatchLimits): Promise<SendOutcome[]> {
  const sending = new Sending(events, limits);
  for (let batch = sending.next(); batch.length > 0; batch = sending.next()) {
    try {
      sending.stored(batch, itemsOf(await post(bodyOf(batch)), batch.length));
    } catch (error) {
      sending.failed(batch, error);
    }
  }
  return sending.outcomes;
}

/** @throws NoAnswerError for an answer that is not the API's */
function itemsOf(answer: unknown, size: number): readonly AcceptedEvent[] {
  const items = size === 1 ? [answer as AcceptedEvent] : (answer as Partial<AcceptedBatch> | undefined)?.items;
  if (items?.length === size && items.every((item) => typeof item?.id === 'string')) return items;
  throw new NoAnswerError('The answer does not say what became of the events.', true);
}

class Sending {
  readonly outcomes: SendOutcome[] = [];
  /** Those that wait, in stretches that are not sent together. */
  #waiting: (readonly Parcel[])[];
  #limits: BatchLimits;

  constructor(events: readonly NewEvent[], limits: BatchLimits) {
    this.#waiting = [events.map(packEvent)];
    this.#limits = limits;
  }

  /** Takes what goes next; none when all is decided. */
  next(): readonly Parcel[] {
    const [first = [], ...others] = this.#waiting;
    const batch = takeBatch(first, this.#limits);
    const rest = first.slice(batch.length);
    this.#waiting = rest.length === 0 ? others : [rest, ...others];
    return batch;
  }

  stored(batch: readonly Parcel[], items: readonly AcceptedEvent[]): void {
    for (const [i, { index, event }] of batch.entries()) this.outcomes[index] = { ...items[i]!, event };
  }

  failed(batch: readonly Parcel[], error: unknown): void {
    const verdict = judge(error, batch.length);
    switch (verdict.kind) {
      case 'some_refused':
        for (const [place, faults] of verdict.faults) this.#refuse(batch[place]!, error as PosthornError, faults);
        this.#sendFirst(batch.filter((_, place) => !verdict.faults.has(place)));
        return;
      case 'too_much':
        this.#halve(batch, verdict.isSize);
        return;
      case 'undecided':
        for (const { index, event } of [...batch, ...this.#takeAll()])
          this.outcomes[index] = { status: 'undecided', event, error };
    }
  }

  #refuse({ index, event }: Parcel, error: PosthornError, faults: SendOutcomeFaults): void {
    this.outcomes[index] = { status: 'refused', event, error, faults };
  }

  #sendFirst(...groups: (readonly Parcel[])[]): void {
    this.#waiting.unshift(...groups.filter((group) => group.length > 0));
  }

  /** What was too much at once is so for those behind it as well. */
  #halve(batch: readonly Parcel[], isSize: boolean): void {
    const middle = Math.ceil(batch.length / 2);
    const halves = [batch.slice(0, middle), batch.slice(middle)];
    if (isSize) this.#limits = { maxEvents: middle, maxBytes: Math.max(...halves.map(bodyBytes)) };
    this.#sendFirst(...halves);
  }

  #takeAll(): readonly Parcel[] {
    return this.#waiting.splice(0).flat();
  }
}

type SendOutcomeFaults = Extract<SendOutcome, { status: 'refused' }>['faults'];
