import { expect, test } from 'vitest';
import { DELIVERY_STATUSES } from '../../store/delivery-reads.ts';
import { breakerWord, deliveryWord, endpointWord, outcomeWord, sourceWord } from './words.ts';

test('every status of a delivery has a word', () => {
  for (const status of DELIVERY_STATUSES) expect(deliveryWord(status).text).toBe(status.replace('_', '-'));
});

test('a status of a newer API is shown as it is', () => {
  expect(deliveryWord('postponed')).toEqual({ text: 'postponed', tone: 'quiet' });
  expect(breakerWord('constructor')).toEqual({ text: 'constructor', tone: 'quiet' });
});

test('words say why: the reason of a disabled endpoint, the status of a refusal', () => {
  expect(endpointWord({ enabled: false, disabled_reason: 'gone' }).text).toBe('disabled: gone');
  expect(endpointWord({ enabled: false, disabled_reason: null }).text).toBe('disabled');
  expect(outcomeWord({ outcome: 'rejected', status: 500 })).toEqual({ text: 'rejected (500)', tone: 'bad' });
  expect(outcomeWord({ outcome: 'timeout', status: null }).text).toBe('timeout');
});

test.each([
  ['paused', true, ['failing']],
  ['failing', false, ['running', 'failing', 'starting']],
  ['waiting', false, ['running', 'waiting', 'starting']],
  ['starting', false, ['running', 'starting']],
  ['running', false, ['running']],
  ['taken in by no process', false, []],
])('a source is %s', (text, paused, states) => {
  expect(sourceWord({ paused, consumers: states.map((state) => ({ state })) }).text).toBe(text);
});
