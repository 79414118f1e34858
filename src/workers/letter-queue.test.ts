import { expect, test } from 'vitest';
import type { DeliveryClass } from '../store/mailbox.ts';
import { classOf, type Letter, LetterQueue } from './letter-queue.ts';

const always = () => true;
let admitted = 0;

function letter(kind: DeliveryClass, name = `${kind} ${admitted}`): Letter {
  const due = { eventUuid: name, isReplay: kind === 'replay', step: kind === 'retry' ? 1 : 0 };
  return { due, admittedAt: ++admitted, checkedAt: 0 } as unknown as Letter;
}

function queueOf(counts: Partial<Record<DeliveryClass, number>>): LetterQueue {
  const queue = new LetterQueue();
  for (const [kind, count] of Object.entries(counts))
    for (let i = 0; i < count; i++) queue.push(letter(kind as DeliveryClass, `${kind} ${i}`));
  return queue;
}

const takeAll = (queue: LetterQueue, count: number) => Array.from({ length: count }, () => queue.take(always)!);

test('of twelve turns eight are for first attempts, three for retries, one for replays: none is starved by the others', () => {
  const taken = takeAll(queueOf({ first: 100, retry: 100, replay: 100 }), 24).map(({ due }) => classOf(due));
  const count = (kind: DeliveryClass) => taken.filter((each) => each === kind).length;
  expect([count('first'), count('retry'), count('replay')]).toEqual([16, 6, 2]);
});

test('a class with nothing to send leaves its turns to the others', () => {
  const queue = queueOf({ retry: 3, replay: 2 });
  expect(
    takeAll(queue, 5)
      .map(({ due }) => classOf(due))
      .sort(),
  ).toEqual(['replay', 'replay', 'retry', 'retry', 'retry']);
  expect(queue.take(always)).toBeUndefined();
});

test('a class that may not begin is passed over, and kept', () => {
  const queue = queueOf({ retry: 2 });
  expect(queue.take((kind) => kind !== 'retry')).toBeUndefined();
  expect(queue.length).toBe(2);
});

test('within a class the order is kept, also for one that is put back', () => {
  const queue = queueOf({ first: 3 });
  const [first] = takeAll(queue, 1);
  queue.putBack(first!);
  expect(takeAll(queue, 3).map(({ due }) => due.eventUuid)).toEqual(['first 0', 'first 1', 'first 2']);
});

test('what is removed is gone, and the oldest of all classes is known', () => {
  const queue = new LetterQueue();
  const letters = [letter('replay'), letter('first'), letter('retry')];
  for (const each of letters) queue.push(each);
  expect(queue.oldest).toBe(letters[0]);
  expect(queue.remove((each) => each === letters[0])).toEqual([letters[0]]);
  expect([queue.length, queue.oldest]).toEqual([2, letters[1]]);
  expect(queue.remove()).toHaveLength(2);
  expect(queue.length).toBe(0);
});

test('a class that puts its letter back has the next turn, or letters that must be looked for again each time they wait would never go', () => {
  const queue = queueOf({ first: 100, replay: 1 });
  const taken: string[] = [];
  // What a replay queued has waited long by its turn: it is put back, looked for, and may go then.
  for (let i = 0, isChecked = false; i < 12; i++) {
    const letter = queue.take(always)!;
    if (classOf(letter.due) === 'replay' && !isChecked) {
      queue.putBack(letter);
      isChecked = true;
    } else taken.push(classOf(letter.due));
  }
  expect(taken.filter((kind) => kind === 'replay')).toHaveLength(1);
});
