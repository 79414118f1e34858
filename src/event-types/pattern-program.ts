import { PatternProblem, type PatternTree } from './pattern-tree.ts';

/** Whether a step goes on with a character. */
export type CharTest = (char: string) => boolean;

/** Steps of a nondeterministic automaton (Thompson's construction). Numbers are indexes of steps. */
export type PatternStep =
  | { readonly kind: 'one'; readonly test: CharTest; readonly next: number }
  | { readonly kind: 'begin' | 'end'; readonly next: number }
  | { kind: 'either'; next: number; other: number }
  | { readonly kind: 'match' };

/** How many steps a pattern has at most, counted repetitions written out: the time for a character is in proportion to them. */
const MAX_STEPS = 400;

/** The tests of all steps, each once. */
export interface CharTests {
  /** Characters that some step accepts as its only one. */
  readonly single: ReadonlySet<string>;
  readonly ofMany: readonly CharTest[];
}

interface PatternProgram {
  readonly steps: readonly PatternStep[];
  readonly tests: CharTests;
}

/** A program that is being written. */
interface Draft {
  readonly steps: PatternStep[];
  /** By their source: the copies of a part that is repeated share their tests. */
  readonly tests: Map<string, CharTest>;
}

/** @throws PatternProblem when the pattern has too many steps */
export function programOf(tree: PatternTree): PatternProgram {
  const draft: Draft = { steps: [], tests: new Map() };
  append(tree, draft);
  draft.steps.push({ kind: 'match' });
  const single = new Set([...draft.tests.keys()].filter(isSingle));
  const ofMany = [...draft.tests].filter(([source]) => !isSingle(source)).map(([, test]) => test);
  return { steps: draft.steps, tests: { single, ofMany } };
}

function append(tree: PatternTree, draft: Draft): void {
  const { steps } = draft;
  if (steps.length > MAX_STEPS) {
    throw new PatternProblem(
      `needs more than ${MAX_STEPS} steps, its repetitions written out; use minLength and maxLength`,
    );
  }
  switch (tree.kind) {
    case 'one':
      steps.push({ kind: 'one', test: testIn(draft, tree.source), next: steps.length + 1 });
      return;
    case 'begin':
    case 'end':
      steps.push({ kind: tree.kind, next: steps.length + 1 });
      return;
    case 'sequence':
      // An empty sequence is a step too: otherwise repeating it would take time without ever reaching the bound on steps.
      if (tree.parts.length === 0) either(steps);
      for (const part of tree.parts) append(part, draft);
      return;
    case 'choice':
      appendChoice(tree.parts, draft);
      return;
    case 'repeat':
      appendRepeat(tree.part, tree.least, tree.most, draft);
      return;
  }
}

function appendChoice(parts: readonly PatternTree[], draft: Draft): void {
  const { steps } = draft;
  const ends: { next: number }[] = [];
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1) {
      append(part, draft);
      break;
    }
    const fork = either(steps);
    append(part, draft);
    ends.push(either(steps));
    fork.other = steps.length;
  }
  for (const end of ends) jumpTo(end, steps.length);
}

function appendRepeat(part: PatternTree, least: number, most: number, draft: Draft): void {
  const { steps } = draft;
  if (Math.max(least, Number.isFinite(most) ? most : 0) > MAX_STEPS) {
    throw new PatternProblem(`repeats more than ${MAX_STEPS} times; use minLength and maxLength`);
  }
  if (most === 0) either(steps);
  for (let i = 0; i < least; i++) append(part, draft);
  if (most === Number.POSITIVE_INFINITY) {
    const fork = either(steps);
    const start = steps.length - 1;
    append(part, draft);
    jumpTo(either(steps), start);
    fork.other = steps.length;
    return;
  }
  const forks = [];
  for (let i = least; i < most; i++) {
    forks.push(either(steps));
    append(part, draft);
  }
  for (const fork of forks) fork.other = steps.length;
}

/** A step that goes on with the next one, or with another that is not known yet. */
function either(steps: PatternStep[]): { next: number; other: number } {
  const step = { kind: 'either' as const, next: steps.length + 1, other: steps.length + 1 };
  steps.push(step);
  return step;
}

function jumpTo(step: { next: number; other?: number }, target: number): void {
  step.next = target;
  if (step.other !== undefined) step.other = target;
}

function testIn({ tests }: Draft, source: string): CharTest {
  const test = tests.get(source) ?? testOf(source);
  tests.set(source, test);
  return test;
}

/** Single code points are left to the engine: without repetition it cannot go astray. */
function testOf(source: string): CharTest {
  if (isSingle(source)) return (char) => char === source;
  const expression = new RegExp(`^(?:${source})$`, 'u');
  return (char) => expression.test(char);
}

function isSingle(source: string): boolean {
  return source.length === 1 && source !== '.';
}
