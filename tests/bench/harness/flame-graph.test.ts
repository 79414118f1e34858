import { expect, test } from 'vitest';
import { type CpuProfile, flameGraph } from './flame-graph.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0 });

const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('run', 'file:///home/a/src/workers/lane.ts'), children: [4, 5] },
    { id: 4, callFrame: frame('dispatch', 'file:///home/a/node_modules/undici/lib/client.js') },
    { id: 5, callFrame: frame('a<b', 'node:net') },
  ],
  samples: [2, 3, 4, 5, 5, 4],
  timeDeltas: [100, 100, 100, 100, 100, 500],
};

test('a flame graph shows shares of the time that was not idle, within the part that is asked for, under names without the place of the project', () => {
  const svg = flameGraph(PROFILE, 'worker & co', { from: 0, to: 0.6 });
  const titles = [...svg.matchAll(/<title>(.+?)<\/title>/g)].map(([, title]) => title);
  expect(titles).toEqual([
    'worker &amp; co',
    'all, 100.0 %',
    'run src/workers/lane.ts, 100.0 %',
    'a&lt;b node:net, 50.0 %',
    'dispatch undici, 25.0 %',
  ]);
  expect(svg).toContain('worker &amp; co');
  expect(svg).not.toContain('/home/a');
});
