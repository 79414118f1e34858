import { boundProblem, type Comparison, fault, type Problem, takes } from './compare-schemas.ts';
import { isMultiple } from './is-multiple.ts';
import type { SchemaObject } from './json-schema.ts';

const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'];

export function typeProblems({ older, newer }: Comparison): Problem[] {
  if (newer.type === undefined) return [];
  const before = older.type === undefined ? TYPES : [older.type].flat();
  const lost = before.filter((type) => !takes(newer, String(type)));
  return lost.length === 0 ? [] : [fault('type', `no longer accepts ${lost.join(', ')}`)];
}

export function enumProblems({ newer }: Comparison): Problem[] {
  return ['enum', 'const'].flatMap((keyword) =>
    newer[keyword] === undefined ? [] : [fault(keyword, 'is new: other values were accepted')],
  );
}

export function numberProblems(comparison: Comparison): Problem[] {
  const { older, newer } = comparison;
  if (!takes(older, 'integer')) return [];
  return [
    ...lowerProblems(older, newer),
    ...lowerProblems(mirrored(older), mirrored(newer)).map(({ path, message }) => fault(MIRRORED[path]!, message)),
    ...multipleProblems(older, newer),
  ];
}

function lowerProblems(older: SchemaObject, newer: SchemaObject): Problem[] {
  const { minimum, exclusiveMinimum } = newer as { minimum?: number; exclusiveMinimum?: number };
  const least = (older.minimum as number | undefined) ?? Number.NEGATIVE_INFINITY;
  const above = (older.exclusiveMinimum as number | undefined) ?? Number.NEGATIVE_INFINITY;
  const problems: Problem[] = [];
  if (minimum !== undefined && minimum > least && minimum > above) {
    problems.push(fault('minimum', 'refuses numbers that were accepted'));
  }
  if (exclusiveMinimum !== undefined && exclusiveMinimum >= least && exclusiveMinimum > above) {
    problems.push(fault('exclusiveMinimum', 'refuses numbers that were accepted'));
  }
  return problems;
}

const MIRRORED: Readonly<Record<string, string>> = { minimum: 'maximum', exclusiveMinimum: 'exclusiveMaximum' };

/** Upper bounds are lower bounds of the opposite numbers. */
function mirrored({ maximum, exclusiveMaximum }: SchemaObject): SchemaObject {
  const opposite = (bound: unknown) => (bound === undefined ? undefined : -(bound as number));
  return { minimum: opposite(maximum), exclusiveMinimum: opposite(exclusiveMaximum) };
}

function multipleProblems(older: SchemaObject, newer: SchemaObject): Problem[] {
  const step = newer.multipleOf as number | undefined;
  if (step === undefined) return [];
  const isWhole = !takes(older, 'number');
  const before = (older.multipleOf as number | undefined) ?? (isWhole ? 1 : undefined);
  if (before !== undefined && isMultiple(before, step)) return [];
  return [fault('multipleOf', 'refuses numbers that were accepted')];
}

export function textProblems(comparison: Comparison): Problem[] {
  const { older, newer } = comparison;
  if (!takes(older, 'string')) return [];
  const kept = ['pattern', 'format'].filter((name) => newer[name] !== undefined && newer[name] !== older[name]);
  return [
    ...boundProblem(comparison, 'minLength', 'min'),
    ...boundProblem(comparison, 'maxLength', 'max'),
    ...kept.map((name) => fault(name, older[name] === undefined ? 'is new' : 'is another than before')),
  ];
}
