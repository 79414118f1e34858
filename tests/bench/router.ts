import { cpus } from 'node:os';
import { countFlag, readFlags, runCommand } from '../../src/cli/run-command.ts';
import { FilterIndex } from '../../src/routing/filter-index.ts';
import { TenantIndex } from '../../src/routing/tenant-index.ts';
import { CITY_LOTS, cityFilters, cityLot, clausesOf } from './city-lots.ts';
import { KINDS, mixedEvent, mixedSubscription } from './mixed-subscriptions.ts';

// Prints Markdown: docs/filters.md has what it printed last.

const USAGE = `npm run bench:router                        the index of subscriptions, and five filters over city lots
  --sizes 1,1000,100000,1000000     subscriptions, each 1 to 10000000
  --lots ${CITY_LOTS}                     1 to 10000000`;

const EVENTS = 5_000;
const CHANGES = 5_000;

function memoryBytes(): number {
  globalThis.gc!();
  globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const ROUNDS = 7;

/** CPU time of this process in milliseconds: what else runs on the machine does not count, though it takes the caches. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Microseconds of CPU time each, in the best of some rounds. */
function microsecondsEach<T>(items: readonly T[], work: (item: T) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = cpuMs();
    for (const item of items) work(item);
    best = Math.min(best, cpuMs() - start);
  }
  return (best * 1_000) / items.length;
}

function spread(count: number, size: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(((i * 0.6180339887) % 1) * size));
}

function measureMixed(size: number): string {
  const before = memoryBytes();
  const index = new TenantIndex();
  const built = cpuMs();
  for (let n = 0; n < size; n++) index.set({ num: n, subscriptions: [mixedSubscription(n)] });
  const perSecond = (size / (cpuMs() - built)) * 1_000;
  const bytes = (memoryBytes() - before) / size;
  const texts = spread(EVENTS, Math.max(1, Math.ceil(size / KINDS))).map(mixedEvent);
  const events = texts.map((text) => JSON.parse(text) as { type: string });
  let matches = 0;
  const match = (event: { type: string }) => {
    matches += index.match({ type: event.type, content: () => event }).length;
  };
  const micros = microsecondsEach(events, match);
  const withParse = microsecondsEach(texts, (text) => match(JSON.parse(text)));
  const each = matches / (EVENTS * ROUNDS * 2);
  const changed = spread(CHANGES, size);
  const change = microsecondsEach(changed, (n) => index.set({ num: n, subscriptions: [mixedSubscription(n)] }));
  return row([
    size.toLocaleString('en'),
    each.toFixed(1),
    micros.toFixed(1),
    withParse.toFixed(1),
    Math.round((each * 1e6) / micros).toLocaleString('en'),
    Math.round(bytes).toLocaleString('en'),
    Math.round(perSecond).toLocaleString('en'),
    Math.round(1e6 / change).toLocaleString('en'),
  ]);
}

function measureLots(name: string, filters: readonly unknown[], lots: readonly string[]): string {
  const index = new FilterIndex();
  for (const [num, filter] of filters.entries()) {
    for (const clause of clausesOf(filter)) index.add(num, clause);
  }
  const matches = new Array<number>(filters.length).fill(0);
  for (const lot of lots.slice(0, 5_000)) index.match(JSON.parse(lot));
  const parsed = cpuMs();
  for (const lot of lots) for (const num of index.match(JSON.parse(lot))) matches[num]!++;
  const whole = cpuMs() - parsed;
  const events = lots.map((lot) => JSON.parse(lot) as unknown);
  const start = cpuMs();
  for (const event of events) index.match(event);
  const alone = cpuMs() - start;
  const perSecond = (ms: number) => Math.round((lots.length / ms) * 1_000).toLocaleString('en');
  const [all, least] = [matches.reduce((sum, each) => sum + each, 0), Math.min(...matches)];
  return row([name, all.toLocaleString('en'), least.toLocaleString('en'), perSecond(whole), perSecond(alone)]);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function main(args: readonly string[]): number {
  const { values } = readFlags({
    args,
    options: {
      sizes: { type: 'string', default: '1,1000,100000,1000000' },
      lots: { type: 'string', default: String(CITY_LOTS) },
    },
  });
  const sizes = values.sizes.split(',').map((size) => countFlag('--sizes', size, 1, 10_000_000));
  const lotCount = countFlag('--lots', values.lots, 1, 10_000_000);
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}\n`);
  console.log(
    '| subscriptions | matching | µs an event | with JSON.parse | matches/s | bytes each | added/s | replaced/s |',
  );
  console.log('| --: | --: | --: | --: | --: | --: | --: | --: |');
  for (const size of sizes) console.log(measureMixed(size));
  const lots = Array.from({ length: lotCount }, (_, n) => cityLot(n));
  const average = Math.round(lots.reduce((sum, lot) => sum + lot.length, 0) / lots.length);
  console.log(`\n${lots.length.toLocaleString('en')} city lots, ${average} bytes on average\n`);
  console.log('| five filters | matches | of the rarest | events/s from JSON text | events/s parsed already |');
  console.log('| --- | --: | --: | --: | --: |');
  for (const [name, filters] of Object.entries(cityFilters)) console.log(measureLots(name, filters, lots));
  console.log(measureLots('all of them', Object.values(cityFilters).flat(), lots));
  return 0;
}

process.exitCode = await runCommand(USAGE, process.argv.slice(2), main);
