import { numberFlag, readFlags, UsageError } from '../../../src/cli/run-command.ts';

export interface Options {
  readonly mode: 'run' | 'list' | 'compare' | 'flame';
  /** Names of scenarios; empty for all of the default set. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** How many processes the system has: API and worker in one, as `npm start` runs them, or apart. */
  readonly layout: 'one' | 'split';
  /** Starts a Redis of its own where `REDIS_URL` gives none. */
  readonly redis: boolean;
  readonly profile: boolean;
  /** Length of `sustain`. */
  readonly minutes: number;
  /** How many `kept` goes on to. */
  readonly events: number;
  /** Of measuring, for each scenario that has a steady window. */
  readonly seconds: number;
  readonly compare: readonly string[];
  /** A profile, and the picture to make of it. */
  readonly flame: readonly string[];
  readonly save: boolean;
}

export const USAGE = `npm run bench                                     every scenario, the table, and bench/results/<date>-<commit>.json
npm run bench -- --quick                          the limit, batch100 and latency1000 in under a minute
npm run bench -- --only batch100,single           some of them; "limit" for the limit alone, "scaling" for those
                                                  that vary one thing each
npm run bench -- --list                           their names, and what each measures
npm run bench -- --compare FILE [FILE2]           two runs side by side; with one file, the newest of bench/results is the other
npm run bench -- --flame PROFILE PICTURE.svg      a flame graph of a .cpuprofile, without its start and its end
  --layout one|split     API and worker in one process, as npm start runs them (default), or in two
  --redis                starts redis-server for BullMQ; REDIS_URL names one of yours
  --seconds 15           length of the measured window
  --minutes 5            length of sustain
  --events 20000000      where kept ends
  --profile              --cpu-prof of the system's processes, into bench/profiles/<date>-<commit>/
  --no-save              writes no result
DATABASE_URL names a Postgres of yours, in which databases may be made; without it one is started for the run.`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const { list, quick, layout, redis, profile, compare, flame } = values;
  if (layout !== 'one' && layout !== 'split') throw new UsageError('--layout: expected one or split');
  if (flame !== undefined && positionals.length !== 1)
    throw new UsageError('--flame: expected a profile and a picture');
  if (compare === undefined && flame === undefined && positionals.length > 0)
    throw new UsageError(`${positionals[0]}: not an option`);
  if (positionals.length > 1) throw new UsageError('--compare: expected one file or two');
  return {
    mode: list ? 'list' : flame !== undefined ? 'flame' : compare === undefined ? 'run' : 'compare',
    only: values.only.split(',').filter((name) => name !== ''),
    quick,
    layout,
    redis,
    profile,
    minutes: numberFlag('--minutes', values.minutes, 0.1, 1_440),
    events: numberFlag('--events', values.events, 2_000, 1_000_000_000),
    seconds: numberFlag('--seconds', values.seconds ?? (quick ? '7' : '15'), 1, 3_600),
    compare: compare === undefined ? [] : [compare, ...positionals],
    flame: flame === undefined ? [] : [flame, ...positionals],
    save: !values['no-save'],
  };
}

function parse(args: readonly string[]) {
  return readFlags({
    args,
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      layout: { type: 'string', default: 'one' },
      redis: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '5' },
      events: { type: 'string', default: '20000000' },
      seconds: { type: 'string' },
      compare: { type: 'string' },
      flame: { type: 'string' },
      'no-save': { type: 'boolean', default: false },
    },
  });
}
