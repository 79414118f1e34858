import { expect, test } from 'vitest';
import type { SourceRecord } from '../store/sources.ts';
import { sourceJson } from './source-json.ts';

test('a queue that two processes see waits once, and partitions add up', () => {
  const now = new Date();
  const source: SourceRecord = {
    num: 1,
    id: 'src_1',
    name: 'shop',
    type: 'rabbitmq',
    origin: 'api',
    config: {},
    paused: false,
    version: 1n,
    createdAt: now,
    updatedAt: now,
  };
  const said = (process: string, lag: readonly { part: string; messages: number | null }[]) => ({
    sourceNum: 1,
    process,
    seenAt: now,
    state: { kind: 'running', error: null, lag, events: 0, duplicates: 0, rejected: 0 },
  });
  const shared = [said('a', [{ part: 'q', messages: 10 }]), said('b', [{ part: 'q', messages: 12 }])];
  expect(sourceJson(source, shared).lag).toBe(12);
  const apart = [said('a', [{ part: 't/0', messages: 3 }]), said('b', [{ part: 't/1', messages: 4 }])];
  expect(sourceJson(source, apart).lag).toBe(7);
  expect(sourceJson(source, [said('a', [{ part: 'q', messages: null }])]).lag).toBeNull();
});
