import { randomInt } from 'node:crypto';
import { numberFlag, readFlags, UsageError } from '../../../src/cli/run-command.ts';

export interface Options {
  readonly mode: 'list' | 'one' | 'all' | 'ci' | 'soak';
  /** In upper case for rows of the fault list; of `--scenario` only. */
  readonly scenario: string;
  readonly seed: number;
  readonly minutes?: number;
  readonly events?: number;
  readonly backend?: 'redis' | 'postgres';
  /** Plays the smaller variant where a scenario has one. */
  readonly short: boolean;
  readonly keep: boolean;
  readonly record: boolean;
}

export const USAGE = `npm run chaos -- --list                              every scenario, and the row of the fault list that it plays
npm run chaos -- --scenario F11 [--minutes 5]        one, its faults again and again for so long
npm run chaos -- --all                               one after the other
npm run chaos -- --ci                                the subset that runs with the tests
npm run chaos -- --soak [--minutes 10] [--events N]  faults at random under load
  --seed 7                    the same randomness again
  --short                     the smaller variant, where there is one
  --backend redis|postgres    what carries the doorbell; Redis where redis-server is installed
  --keep                      leaves ledger and logs where they are, and says where
  --record                    writes recovery time and duplicates to tests/chaos/results.json`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options {
  const { values } = readFlags({
    args,
    options: {
      scenario: { type: 'string' },
      list: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      ci: { type: 'boolean', default: false },
      soak: { type: 'boolean', default: false },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      events: { type: 'string' },
      backend: { type: 'string' },
      short: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const { scenario, list, all, ci, soak, backend, short, keep, record } = values;
  const modes = Object.entries({ one: scenario !== undefined, list, all, ci, soak }).filter(([, isAsked]) => isAsked);
  if (modes.length !== 1) throw new UsageError('say one of --scenario, --list, --all, --ci and --soak');
  if (backend !== undefined && backend !== 'redis' && backend !== 'postgres')
    throw new UsageError('--backend: expected redis or postgres');
  // What the table tells was played in full.
  if (record && (short || ci))
    throw new UsageError('--record goes with the scenarios in full: not with --short or --ci');
  const minutes = optional(values.minutes, (text) => numberFlag('--minutes', text, 0.01, 1_440));
  const events = optional(values.events, (text) => numberFlag('--events', text, 1, 100_000_000));
  return {
    mode: modes[0]![0] as Options['mode'],
    scenario: scenario ?? '',
    seed: values.seed === undefined ? randomInt(1_000_000) : numberFlag('--seed', values.seed, 0, 2 ** 32 - 1),
    short,
    keep,
    record,
    ...(minutes === undefined ? {} : { minutes }),
    ...(events === undefined ? {} : { events }),
    ...(backend === undefined ? {} : { backend }),
  };
}

function optional<T>(text: string | undefined, read: (text: string) => T): T | undefined {
  return text === undefined ? undefined : read(text);
}
