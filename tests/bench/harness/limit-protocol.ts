import type { Plan } from './plan.ts';

export type LimitCommand = {
  readonly kind: 'run';
  /** `dispatch` is the limit; `request` makes a promise and a body stream for each. */
  readonly how: 'dispatch' | 'request';
  readonly plan: Plan;
  readonly port: number;
  readonly pools: number;
  /** Of each pool. */
  readonly connections: number;
  /** At least: it goes on while the loop still becomes cheaper. */
  readonly warmUpMs: number;
  readonly measureMs: number;
};

export type LimitMessage = {
  readonly kind: 'done';
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
};
