import { PatternProblem, type PatternTree } from './pattern-tree.ts';

/** Steps of a nondeterministic automaton (Thompson's construction). Numbers are indexes of steps. */
export type PatternStep =
  | { readonly kind: 'one'; readonly test: (char: string) => boolean; readonly next: number }
  | { readonly kind: 'begin' | 'end'; readonly next: number }
  | { kind: 'either'; next: number; other: number }
  | { readonly kind: 'match' };

/** Most steps of one pattern, counted repetitions written out: the time for a character is in proportion to them. */
const MAX_STEPS = 400;

/** @throws PatternProblem when the pattern has too many steps */
export function programOf(tree: PatternTree): readonly PatternStep[] {
  const steps: PatternStep[] = [];
  append(tree, steps);
  steps.push({ kind: 'match' });
  return steps;
}

function append(tree: PatternTree, steps: PatternStep[]): void {
  if (steps.length > MAX_STEPS) {
    throw new PatternProblem(
      `needs more than ${MAX_STEPS} steps, its repetitions written out; use minLength and maxLength`,
    );
  }
  switch (tree.kind) {
    case 'one':
      steps.push({ kind: 'one', test: testOf(tree.source), next: steps.length + 1 });
      return;
    case 'begin':
    case 'end':
      steps.push({ kind: tree.kind, next: steps.length + 1 });
      return;
    case 'sequence':
      // Nothing at all counts as a step too: repeated, it would cost time and no room.
      if (tree.parts.length === 0) either(steps);
      for (const part of tree.parts) append(part, steps);
      return;
    case 'choice':
      appendChoice(tree.parts, steps);
      return;
    case 'repeat':
      appendRepeat(tree.part, tree.least, tree.most, steps);
      return;
  }
}

function appendChoice(parts: readonly PatternTree[], steps: PatternStep[]): void {
  const ends: { next: number }[] = [];
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1) {
      append(part, steps);
      break;
    }
    const fork = either(steps);
    append(part, steps);
    ends.push(either(steps));
    fork.other = steps.length;
  }
  for (const end of ends) jumpTo(end, steps.length);
}

function appendRepeat(part: PatternTree, least: number, most: number, steps: PatternStep[]): void {
  if (Math.max(least, Number.isFinite(most) ? most : 0) > MAX_STEPS) {
    throw new PatternProblem(`repeats more than ${MAX_STEPS} times; use minLength and maxLength`);
  }
  if (most === 0) either(steps);
  for (let i = 0; i < least; i++) append(part, steps);
  if (most === Number.POSITIVE_INFINITY) {
    const fork = either(steps);
    const start = steps.length - 1;
    append(part, steps);
    jumpTo(either(steps), start);
    fork.other = steps.length;
    return;
  }
  const forks = [];
  for (let i = least; i < most; i++) {
    forks.push(either(steps));
    append(part, steps);
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

/** Single code points are left to the engine: without repetition it cannot go astray. */
function testOf(source: string): (char: string) => boolean {
  if (source.length === 1 && source !== '.') return (char) => char === source;
  const expression = new RegExp(`^(?:${source})$`, 'u');
  return (char) => expression.test(char);
}
