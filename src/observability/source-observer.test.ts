import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LineTeller } from './line-teller.ts';
import { MetricKit } from './metric-kit.ts';
import { sourceMetrics } from './source-metrics.ts';
import { SourceObserver } from './source-observer.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

function observed() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: Record<string, unknown>) => lines.push(line);
  const kit = new MetricKit();
  const log = { info: write, warn: write, error: write };
  const observe = new SourceObserver(sourceMetrics(kit), new LineTeller(log as unknown as Logger));
  return { observe, lines, kit };
}

test('messages are counted by what became of them, and are no lines', async () => {
  const { observe, lines, kit } = observed();
  observe.messagesTaken('kafka', { events: 5, duplicates: 3, rejected: 2 });
  const text = await kit.text();
  for (const [outcome, count] of [
    ['event', 5],
    ['duplicate', 3],
    ['rejected', 2],
  ])
    expect(text).toContain(`source_messages_total{type="kafka",outcome="${outcome}"} ${count}\n`);
  expect(lines).toEqual([]);
});

test('what is rejected is counted each time, and told once a second of each source', async () => {
  const { observe, lines, kit } = observed();
  for (const source of ['orders', 'orders', 'bills'])
    observe.messagesRejected({ source, reasons: new Map([['invalid', 2]]) });
  expect(lines.map(({ source }) => source)).toEqual(['orders', 'bills']);
  vi.advanceTimersByTime(1_000);
  observe.messagesRejected({ source: 'orders', reasons: new Map([['invalid', 1]]) });
  expect(lines).toHaveLength(3);
  expect(await kit.text()).toContain('source_messages_rejected_total{reason="invalid"} 7\n');
});

test('of what a broker says of dead letters that it does not take five are told, and all are counted', async () => {
  const { observe, lines, kit } = observed();
  const reasons = new Set(Array.from({ length: 7 }, (_, i) => `refusal ${i}`));
  observe.deadLettersRefused({ source: 'orders', reasons }, 100);
  expect(lines).toMatchObject([{ count: 100, refusals: [...reasons].slice(0, 5) }]);
  expect(await kit.text()).toContain('source_dead_letters_refused_total 100\n');
});

test('offsets that a broker has no more are told with where they were, and counted by the reason', async () => {
  const { observe, lines, kit } = observed();
  const place = { source: 'orders', topic: 'shop', partition: 3 };
  observe.outOfRange({ ...place, reason: 'deleted', from: 10n, to: 1_010n });
  observe.outOfRange({ ...place, reason: 'cut_off', from: 70n, to: 20n });
  expect(lines).toMatchObject([
    { source: 'orders', partition: 'shop/3', reason: 'deleted', from: 10, to: 1_010, count: 1_000 },
    { source: 'orders', partition: 'shop/3', reason: 'cut_off', from: 70, to: 20, count: 50 },
  ]);
  const text = await kit.text();
  expect(text).toContain('source_lost_offsets_total{reason="deleted"} 1000\n');
  expect(text).toContain('source_lost_offsets_total{reason="cut_off"} 50\n');
});

test('partitions that are held are counted by why, and there is a count of none', async () => {
  const { observe, lines, kit } = observed();
  expect(await kit.text()).toContain('source_held_partitions{reason="cut_off"} 0\n');
  for (const change of [1, 1, -1] as const) observe.holding('cut_off', change);
  observe.holding('too_large', 1);
  const text = await kit.text();
  for (const reason of ['cut_off', 'too_large']) expect(text).toContain(`held_partitions{reason="${reason}"} 1\n`);
  expect(lines).toEqual([]);
});

test('a start that was deleted is told, and counts as no loss', async () => {
  const { observe, lines, kit } = observed();
  observe.startDeleted({ source: 'orders', topic: 'shop', partition: 3, from: 10n, to: 1_010n });
  expect(lines).toMatchObject([{ source: 'orders', partition: 'shop/3', from: 10, to: 1_010 }]);
  expect(await kit.text()).not.toContain('source_lost_offsets_total{');
});
