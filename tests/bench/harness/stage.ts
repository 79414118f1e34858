import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { query } from '../../support/query.ts';
import { checkDeliveries } from './check-deliveries.ts';
import { type Closers, closeAll } from './closers.ts';
import type { Counters } from './counters.ts';
import { createEndpoints, type EndpointSettings } from './create-endpoints.ts';
import { Load } from './load.ts';
import { type LoopDelay, readLoopDelay } from './loop-delay.ts';
import { endpointCount, type Plan } from './plan.ts';
import { parseProcessStat } from './process-stat.ts';
import type { Servers } from './servers.ts';
import { Sink } from './sink.ts';
import { kindOf, OPERATOR_KEY, type Role, System } from './system.ts';
import type { Snapshot } from './window.ts';

export interface StageSpec {
  readonly plan: Omit<Plan, 'run'>;
  /** One port for each endpoint, with TLS, in place of one for all. */
  readonly tls?: boolean;
  /** Of every endpoint, where they are not the defaults. */
  readonly endpoints?: EndpointSettings;
  /** The processes that run at first, where they are not all of them. */
  readonly roles?: readonly Role[];
}

export interface StageOptions {
  readonly name: string;
  readonly servers: Servers;
  readonly layout: 'split' | 'one';
  readonly profileDir: string | null;
  /** Of the run: told how to undo the stage as long as it stands. */
  readonly closers: Closers;
}

/** How long nothing may arrive before what is missing counts as lost. */
const SILENCE_MS = 60_000;
const SETTLE_MS = 10_000;

/** All that a scenario plays with: a database of its own, the system, a sink, a load, and tenants with their endpoints. */
export class Stage {
  readonly plan: Plan;
  readonly sink: Sink;
  readonly load: Load;
  readonly system: System;
  readonly databaseUrl: string;
  /** The last two snapshots: the window that a scenario ended with. */
  lastTwo: readonly [Snapshot | null, Snapshot | null] = [null, null];
  readonly #counters: Counters;
  readonly #closers: Closers;

  private constructor(
    parts: Pick<Stage, 'plan' | 'sink' | 'load' | 'system' | 'databaseUrl'>,
    counters: Counters,
    closers: Closers,
  ) {
    ({ plan: this.plan, sink: this.sink, load: this.load, system: this.system, databaseUrl: this.databaseUrl } = parts);
    this.#counters = counters;
    this.#closers = closers;
  }

  /** Everything runs when it resolves; when it rejects, nothing is left. */
  static async open(spec: StageSpec, options: StageOptions): Promise<Stage> {
    const closers: Closers = [];
    // Also while it opens: a run may be cut short at any moment.
    options.closers.push(() => closeAll(closers));
    try {
      return await openStage(spec, options, closers, (...parts) => new Stage(...parts));
    } catch (error) {
      await closeAll(closers).catch(() => {});
      throw error;
    }
  }

  async snapshot(): Promise<Snapshot> {
    const cpuMs: Record<string, number> = {};
    for (const [role, pid] of this.system.pids) {
      const { cpuMs: ofOne } = parseProcessStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
      cpuMs[kindOf(role)] = (cpuMs[kindOf(role)] ?? 0) + ofOne;
    }
    const [sink, load] = await Promise.all([this.sink.counts(), this.load.counts()]);
    const atMs = performance.now();
    const readings = await this.#counters.read();
    const loopDelay: Record<string, LoopDelay | null> = {};
    for (const [role, port] of this.system.ports) loopDelay[role] = await readLoopDelay(port);
    const snapshot = { atMs, cpuMs, sink, load, ...readings, loopDelay };
    this.lastTwo = [this.lastTwo[1], snapshot];
    return snapshot;
  }

  /** Two snapshots: after `warmUpMs`, and `measureMs` later. */
  async window(warmUpMs: number, measureMs: number): Promise<[Snapshot, Snapshot]> {
    await delay(warmUpMs);
    const before = await this.snapshot();
    await delay(measureMs);
    return [before, await this.snapshot()];
  }

  /** Stops the load and waits until all that was accepted has arrived and is written down. @returns how many deliveries are still to be made */
  async rest(): Promise<number> {
    const { accepted } = await this.load.stop();
    await this.arrived(accepted * this.plan.fanOut);
    return this.#settled();
  }

  /** Comes to rest, and says what is not as it should be. */
  async finish(): Promise<readonly string[]> {
    const left = await this.rest();
    return checkDeliveries({ plan: this.plan, load: await this.load.counts(), sink: await this.sink.counts(), left });
  }

  /** Resolves when the sink has had so many deliveries, or none for a long time. */
  async arrived(deliveries: number): Promise<void> {
    let last = this.sink.delivered;
    let lastAt = performance.now();
    while (this.sink.delivered < deliveries && performance.now() - lastAt < SILENCE_MS) {
      await delay(10);
      if (this.sink.delivered === last) continue;
      last = this.sink.delivered;
      lastAt = performance.now();
    }
  }

  close(): Promise<void> {
    return closeAll(this.#closers);
  }

  /** The sink has a request some milliseconds before its attempt is written. @returns deliveries that are still to be made */
  async #settled(): Promise<number> {
    const until = performance.now() + SETTLE_MS;
    for (;;) {
      const [row] = await query(this.databaseUrl, 'SELECT count(*)::int AS left FROM mailbox');
      if (row.left === 0 || performance.now() > until) return row.left;
      await delay(50);
    }
  }
}

type Build = (...parts: [Pick<Stage, 'plan' | 'sink' | 'load' | 'system' | 'databaseUrl'>, Counters, Closers]) => Stage;

async function openStage(spec: StageSpec, options: StageOptions, closers: Closers, build: Build): Promise<Stage> {
  const { servers, layout, profileDir } = options;
  const { tls = false } = spec;
  const plan = { ...spec.plan, run: options.name };
  const database = await servers.newDatabase();
  closers.push(() => database.drop());
  const counters = await servers.openCounters(database.name);
  closers.push(() => counters.close());
  const sink = await Sink.open({ plan, ports: tls ? endpointCount(plan) : 1, tls });
  closers.push(() => sink.end());
  const { redisUrl } = servers;
  const profile = profileDir === null ? null : { dir: profileDir, name: options.name };
  const system = await System.prepare({ databaseUrl: database.url, redisUrl, layout, profile, trustsSink: tls });
  closers.push(() => system.stopAll());
  for (const role of spec.roles ?? system.roles) await system.start(role);
  const { baseUrl } = system;
  sink.trust(await createEndpoints({ plan, baseUrl, ports: sink.ports, tls, settings: spec.endpoints ?? {} }));
  const load = await Load.open({ plan, baseUrl, operatorKey: OPERATOR_KEY });
  closers.push(() => load.end());
  sink.onProgress = (delivered) => load.delivered(delivered);
  return build({ plan, sink, load, system, databaseUrl: database.url }, counters, closers);
}
