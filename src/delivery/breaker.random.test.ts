import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Breaker, type BreakerTransition } from './breaker.ts';
import { BreakerRig } from './fixtures/breaker-rig.ts';

const results = fc.array(
  fc.record({ afterMs: fc.oneof(fc.constant(0), fc.nat(8_000), fc.nat(900_000)), success: fc.boolean() }),
  { maxLength: 120, size: 'max' },
);
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('closed, it opens exactly when a count made from the whole history says so', () => {
  fc.assert(
    fc.property(results, fc.nat(4_999), (history, offset) => {
      const rig = new BreakerRig();
      rig.nowMs += offset;
      const seen: { bucket: number; success: boolean }[] = [];
      for (const { afterMs, success } of history) {
        rig.nowMs += afterMs;
        const bucket = Math.floor(rig.nowMs / 5_000);
        seen.push({ bucket, success });
        const lastSuccess = seen.findLastIndex((result) => result.success);
        const recent = seen.filter((result) => result.bucket > bucket - 12);
        const failed = recent.filter((result) => !result.success).length;
        const isInARow = seen.length - 1 - lastSuccess >= 10;
        const isRate = recent.length >= 20 && failed * 2 >= recent.length;
        const reason = success ? undefined : isInARow ? 'failures_in_a_row' : isRate ? 'failure_rate' : undefined;
        const transition = rig.record(success);
        expect(transition?.kind === 'opened' ? transition.reason : undefined).toBe(reason);
        if (transition !== null) return;
      }
    }),
    { numRuns: 500 },
  );
});

interface Step {
  readonly act: 'begin' | 'end' | 'wait';
  readonly pick: number;
  readonly success: boolean;
  readonly ms: number;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    act: fc.constantFrom('begin', 'end', 'begin', 'end', 'begin', 'end', 'begin', 'end', 'wait'),
    pick: fc.nat(),
    success: fc.boolean(),
    ms: fc.oneof(fc.nat(2_000), fc.nat(700_000)),
  }),
  { maxLength: 400, size: 'max' },
);

/**
 * Plays an endpoint under a breaker, as its desk would: requests begin where the allowance has room and end in any order. The endpoint is
 * well or ill for a stretch, or it would neither fail nor answer often enough in a row.
 */
function play(
  rig: BreakerRig,
  script: readonly Step[],
  onBegin: (phase: string) => void,
  onTransition: (transition: BreakerTransition) => void,
): void {
  const underWay: number[] = [];
  let isWell = false;
  for (const { act, pick, success, ms } of script) {
    if (act === 'wait') {
      rig.nowMs += ms;
      isWell = success;
    }
    if (act === 'begin' && underWay.length < rig.allowance) {
      onBegin(rig.phase);
      underWay.push(rig.breaker.generation);
    }
    if (act === 'end' && underWay.length > 0) {
      const [generation] = underWay.splice(pick % underWay.length, 1);
      const transition = rig.record(pick % 64 === 0 ? !isWell : isWell, generation);
      if (transition !== null) onTransition(transition);
    }
  }
}

test('whatever happens, nothing begins while it is open, one probe at a time while half-open, and it opens for its time and no other', () => {
  let [probes, closings] = [0, 0];
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 20 }), randoms, (script, cap, random) => {
      const rig = new BreakerRig(cap);
      rig.random = () => random;
      let probing = 0;
      const onBegin = (phase: string) => {
        expect(phase).not.toBe('open');
        if (phase !== 'half_open') return;
        probes++;
        expect(++probing).toBe(1);
      };
      play(rig, script, onBegin, (transition) => {
        probing = 0;
        if (transition.kind === 'closed') closings++;
        if (transition.kind !== 'opened') return;
        const openMs = Math.min(30_000 * 2 ** (transition.openings - 1), 600_000);
        expect(transition.untilMs).toBeGreaterThanOrEqual(rig.nowMs + openMs * 0.9 - 1);
        expect(transition.untilMs).toBeLessThanOrEqual(rig.nowMs + openMs * 1.1 + 1);
      });
    }),
    { numRuns: 500 },
  );
  expect(Math.min(probes, closings)).toBeGreaterThan(10);
});

test('from wherever it is, an endpoint that answers is closed again after the time and a ramp', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 64 }), (script, cap) => {
      const rig = new BreakerRig(cap);
      play(
        rig,
        script,
        () => {},
        () => {},
      );
      rig.waitForProbe();
      if (rig.phase !== 'closed') expect(rig.recover()).toBeLessThanOrEqual(2 * cap);
      expect(rig.allowance).toBe(cap);
    }),
  );
});

test('a breaker that was saved and restored at any moment behaves as if it had not been', () => {
  fc.assert(
    fc.property(steps, steps, fc.integer({ min: 1, max: 20 }), (before, after, cap) => {
      const rig = new BreakerRig(cap);
      play(
        rig,
        before,
        () => {},
        () => {},
      );
      const saved = rig.breaker.save();
      if (saved === null) expect(rig.phase).toBe('closed');
      fc.pre(saved !== null);
      const text = JSON.stringify(saved);
      expect(text.length).toBeLessThan(500);
      const other = new BreakerRig(cap, Breaker.restore(JSON.parse(text)));
      other.nowMs = rig.nowMs;
      const [seen, seenByOther]: [unknown[], unknown[]] = [[], []];
      play(
        rig,
        after,
        (phase) => seen.push(phase),
        (transition) => seen.push(transition),
      );
      play(
        other,
        after,
        (phase) => seenByOther.push(phase),
        (transition) => seenByOther.push(transition),
      );
      expect(seenByOther).toEqual(seen);
      expect(other.breaker.save()).toEqual(rig.breaker.save());
    }),
    { numRuns: 300 },
  );
});
