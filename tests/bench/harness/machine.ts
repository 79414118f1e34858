import { cpus, loadavg, totalmem } from 'node:os';

/** What a run was made on. No names and no paths. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly platform: string;
  readonly node: string;
  readonly postgres: string;
  /** Whether Postgres was started for the run, with the product's settings. */
  readonly embedded: boolean;
  /** Over one minute: more than a few tenths at the start means that others used the machine too. */
  readonly loadAverageAtStart: number;
  readonly loadAverageAtEnd: number;
}

export function describeMachine(
  postgres: { readonly version: string; readonly isEmbedded: boolean },
  loadAverageAtStart: number,
): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryMb: Math.round(totalmem() / 1024 / 1024),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    postgres: postgres.version,
    embedded: postgres.isEmbedded,
    loadAverageAtStart,
    loadAverageAtEnd: loadAverage(),
  };
}

export function loadAverage(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}
