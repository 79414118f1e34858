import { beforeEach, expect, test } from 'vitest';
import { Desk, VERSION_UNKNOWN } from './desk.ts';
import { EndpointDisabler } from './endpoint-disabler.ts';

let asked: { num: number; resets: number; answer: PromiseWithResolvers<boolean> }[];
let failures: string[];
let disabler: EndpointDisabler;

beforeEach(() => {
  asked = [];
  failures = [];
  disabler = new EndpointDisabler({
    disableEndpoint: (num, _reason, resets) => {
      const answer = Promise.withResolvers<boolean>();
      asked.push({ num, resets, answer });
      return answer.promise;
    },
    shelve: () => {},
    onFailure: (what) => failures.push(what),
  });
});

function deskOf(num: number): Desk {
  const desk = new Desk(num, 0);
  desk.version = 5;
  desk.resets = 1;
  return desk;
}

test('of a crowd that a receiver tells that it is gone all wait for one statement, and hear the same', async () => {
  const desk = deskOf(1);
  const crowd = Array.from({ length: 500 }, () => disabler.disable(desk, 'gone'));
  expect(asked).toHaveLength(1);
  asked[0]!.answer.resolve(false);
  expect(new Set(await Promise.all(crowd))).toEqual(new Set([false]));
  expect(desk.version).toBe(VERSION_UNKNOWN);
});

test('endpoints are disabled each by itself, and one that was reset meanwhile is asked about anew', () => {
  const [one, other] = [deskOf(1), deskOf(2)];
  for (const desk of [one, other]) void disabler.disable(desk, 'gone');
  one.resets = 2;
  for (let i = 0; i < 2; i++) void disabler.disable(one, 'gone');
  expect(asked.map(({ num, resets }) => [num, resets])).toEqual([
    [1, 1],
    [2, 1],
    [1, 2],
  ]);
});

test.each(['done', 'failed'])('what comes when the statement is %s is asked about anew', async (how) => {
  const desk = deskOf(1);
  const first = disabler.disable(desk, 'gone');
  if (how === 'done') asked[0]!.answer.resolve(true);
  else asked[0]!.answer.reject(new Error('away'));
  expect(await first).toBe(true);
  expect([failures.length, desk.version]).toEqual(how === 'done' ? [0, 5] : [1, VERSION_UNKNOWN]);
  void disabler.disable(desk, 'gone');
  expect(asked).toHaveLength(2);
});
