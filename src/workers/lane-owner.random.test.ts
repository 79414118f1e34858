import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answered, type Fate } from './fixtures/fake-sender.ts';
import { LaneRig, type RigWorker } from './fixtures/lane-rig.ts';
import { keyOf, type ModelRow, type Travel } from './fixtures/mailbox-model.ts';
import type { VirtualTime } from './fixtures/virtual-time.ts';

interface Story {
  readonly seed: number;
  readonly lanes: number;
  readonly endpoints: number;
  readonly rows: number;
  readonly maxInFlight: number;
  readonly workers: number;
  /** Whether lanes are lost, statements fail and workers stop. Without it nothing may ever be sent twice, and no sweeper is needed. */
  readonly isRough: boolean;
  readonly withTraffic: boolean;
}

const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.integer({ min: 0, max: 0xffffffff }),
  lanes: fc.integer({ min: 1, max: 3 }),
  endpoints: fc.integer({ min: 1, max: 5 }),
  rows: fc.integer({ min: 1, max: 60 }),
  maxInFlight: fc.integer({ min: 2, max: 12 }),
  workers: fc.integer({ min: 1, max: 2 }),
  isRough: fc.boolean(),
  withTraffic: fc.boolean(),
});

const CHAOS_MS = 1_500;
const SETTLED_WITHIN_MS = 30_000;

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** One run of a story: chaos for a while, then calm, in which all that is left must come to its end. */
class Play {
  readonly #story: Story;
  readonly #random: () => number;
  readonly rig: LaneRig;
  readonly #rows: ModelRow[] = [];
  #isChaos = true;
  #events = 0;
  #goesOn = true;

  constructor(given: Story) {
    this.#story = given;
    this.#random = randomOf(given.seed);
    this.rig = new LaneRig({ lanes: given.lanes, maxInFlight: given.maxInFlight, fate: this.#fate, travel: (time) => this.#travel(time) });
    this.rig.doorbell.answer = (lane) => this.#anyWorker()?.owner.hold(lane);
  }

  async run(): Promise<string[]> {
    const { rig } = this;
    const random = Math.random;
    rig.time.install();
    Math.random = this.#random;
    try {
      this.#setUp();
      await rig.time.pass(CHAOS_MS);
      this.#calmDown();
      const isSettled = () => this.#rows.every((row) => !rig.model.rows.has(keyOf(row)));
      if (!(await rig.time.pass(SETTLED_WITHIN_MS, isSettled))) rig.violations.push(...this.#forgotten());
      this.#goesOn = false;
      const areFree = () => rig.model.rows.size === 0 && [...rig.model.lanes.keys()].every((lane) => rig.isFree(lane));
      if (!(await rig.time.pass(12_000, areFree))) rig.violations.push('a lane with nothing to do was not given back');
      await this.#stopAll();
    } finally {
      rig.time.restore();
      Math.random = random;
    }
    return rig.violations;
  }

  #setUp(): void {
    const { rig } = this;
    const { lanes, endpoints, rows, workers, isRough } = this.#story;
    for (let num = 1; num <= endpoints; num++) rig.model.addEndpoint(num, this.#below(lanes), 1 + this.#below(4));
    for (let i = 0; i < workers; i++) rig.startWorker();
    for (let i = 0; i < rows; i++) rig.time.after(this.#random() ** 3 * CHAOS_MS, () => this.#store(1 + this.#below(endpoints)));
    if (isRough) this.#often(1_000, () => this.#sweep());
    this.#often(100, () => this.#meddle(1 + this.#below(endpoints)));
    if (isRough) this.#often(400, () => this.#breakSomething());
  }

  #fate: Fate = ({ endpointNum }) => {
    const isSlow = endpointNum % 3 === 2;
    const afterMs = this.#chance(0.1) ? 0 : isSlow ? 300 + this.#random() * 2_500 : 1 + this.#random() * 40;
    if (!this.#isChaos) return { outcome: answered(200), afterMs };
    const dice = this.#random();
    return { outcome: answered(dice < 0.7 ? 200 : dice < 0.97 ? 500 : 410), afterMs };
  };

  #travel(time: VirtualTime): Travel {
    return async (_owner, name, work) => {
      await time.sleep(this.#latency());
      const isBad = this.#isChaos && this.#story.isRough && this.#chance(0.04);
      if (isBad && this.#chance(0.5)) throw new Error(`${name} did not reach Postgres`);
      const answer = work();
      await time.sleep(this.#latency());
      if (isBad) throw new Error(`the answer of ${name} was lost`);
      return answer;
    };
  }

  #latency(): number {
    if (!this.#isChaos || this.#chance(0.8)) return 0.3 + this.#random() * 2;
    return this.#chance(0.9) ? this.#random() * 60 : this.#random() * (this.#story.isRough ? 4_000 : 600);
  }

  #store(endpointNum: number): void {
    const { rig } = this;
    const isLate = this.#chance(0.1);
    const row = rig.model.add(++this.#events, endpointNum, rig.model.now - (isLate ? this.#random() * 300 : 0));
    this.#rows.push(row);
    rig.wake(row.lane, this.#anyWorker());
  }

  /** What people do meanwhile. */
  #meddle(endpointNum: number): void {
    const { model } = this.rig;
    const row = this.#rows[this.#below(this.#rows.length)];
    const dice = this.#random();
    if (dice < 0.2) model.change(endpointNum, { enabled: false });
    else if (dice < 0.5) model.change(endpointNum, { enabled: true });
    else if (dice < 0.52) model.change(endpointNum, { deleted: true });
    else if (dice < 0.55 && row !== undefined) model.rows.delete(keyOf(row));
    else if (dice < 0.65 && row !== undefined) row.dueAtMs = Math.min(row.dueAtMs, model.now);
    this.rig.wake(model.endpoints.get(endpointNum)!.lane, this.#anyWorker());
  }

  #breakSomething(): void {
    const { model, workers } = this.rig;
    const dice = this.#random();
    const lane = this.#below(this.#story.lanes);
    if (dice < 0.3) model.steal(lane);
    else if (dice < 0.4) this.#refuse();
    else if (dice < 0.5) this.rig.startWorker();
    else if (dice < 0.6 && workers.length > 1) this.#stop(this.#anyWorker());
  }

  /** Postgres refuses an attempt of this delivery for now: its lane is not to be trusted for it, so that it may be sent again. */
  #refuse(): void {
    const { model, abandoned, time } = this.rig;
    const row = this.#rows[this.#below(this.#rows.length)];
    if (row === undefined) return;
    model.refused.add(keyOf(row));
    time.after(500, () => model.refused.delete(keyOf(row)));
    for (const other of this.#rows) if (other.lane === row.lane) abandoned.add(keyOf(other));
  }

  #stop(worker: RigWorker | undefined): void {
    const isLast = this.rig.workers.filter(({ isStopping }) => !isStopping).length < 2;
    if (worker !== undefined && !isLast) void this.rig.stopWorker(worker, this.#random() * 2_000);
  }

  #sweep(): void {
    for (const lane of this.rig.model.sleepingLanes()) void this.#anyWorker()?.owner.hold(lane);
  }

  #calmDown(): void {
    const { model } = this.rig;
    this.#isChaos = false;
    model.refused.clear();
    for (const { num, lane } of [...model.endpoints.values()]) {
      model.change(num, { enabled: true });
      this.rig.wake(lane, this.#anyWorker());
    }
    if (this.#story.withTraffic) for (const lane of model.lanes.keys()) this.#keepBusy(lane);
  }

  /** Traffic that keeps a lane awake, so that nothing is found only because the lane was taken anew. */
  #keepBusy(lane: number): void {
    const { rig } = this;
    const { num } = rig.model.addEndpoint(100 + 3 * lane, lane, 4);
    this.#often(30, () => {
      if (!this.#goesOn) return;
      rig.model.add(++this.#events, num, rig.model.now);
      rig.wake(lane, this.#anyWorker());
    });
  }

  async #stopAll(): Promise<void> {
    const { rig } = this;
    let isDone = false;
    const running = rig.workers.filter(({ isStopping }) => !isStopping);
    void Promise.all(running.map((worker) => rig.stopWorker(worker, 1_000))).then(() => {
      isDone = true;
    });
    if (!(await rig.time.pass(5_000, () => isDone))) rig.violations.push('a worker did not stop');
  }

  #forgotten(): string[] {
    const { model } = this.rig;
    const left = this.#rows.filter((row) => model.rows.has(keyOf(row)));
    return left.slice(0, 3).map((row) => `${left.length} deliveries were forgotten, such as ${JSON.stringify(row)}`);
  }

  #often(meanMs: number, act: () => void): void {
    this.rig.time.after(this.#random() * 2 * meanMs, () => {
      if (this.#isChaos || meanMs !== 100 && meanMs !== 400) act();
      this.#often(meanMs, act);
    });
  }

  #anyWorker(): RigWorker | undefined {
    const running = this.rig.workers.filter(({ isStopping }) => !isStopping);
    return running[this.#below(running.length)];
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }
}

const RUNS = Number(process.env.RUNS ?? 1000);

test('whatever comes in whatever order, every delivery ends, and none is sent twice by an owner that kept its lane', { timeout: 600_000 }, async () => {
  const property = fc.asyncProperty(story, async (given) => {
    expect(await new Play(given).run()).toEqual([]);
  });
  await fc.assert(property, { numRuns: RUNS, ...(process.env.SEED ? { seed: Number(process.env.SEED) } : {}) });
});
