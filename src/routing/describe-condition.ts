import type { Condition, NumberRange } from './condition.ts';

/** A condition in words, to follow "expected". */
export function describeCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'string':
      return quoted(condition.text);
    case 'number':
    case 'literal':
      return String(condition.value);
    case 'equals':
      return `${quoted(condition.text)} in any case`;
    case 'prefix':
      return `text that begins with ${quoted(condition.text)}${condition.fold ? ' in any case' : ''}`;
    case 'suffix':
      return `text that ends with ${quoted(condition.text)}${condition.fold ? ' in any case' : ''}`;
    case 'wildcard':
      return `text like ${quoted(condition.text)}`;
    case 'glob':
      return condition.text === '**' ? 'any type that does not begin with system' : `a type like ${condition.text}`;
    case 'range':
      return `a number ${describeRange(condition)}`;
    case 'cidr':
      return `an address in ${condition.text}`;
    case 'exists':
      return 'any value';
    case 'absent':
      return 'no value';
    case 'except':
      return `a value that is not ${describeConditions(condition.of)}`;
  }
}

export function describeConditions(anyOf: readonly Condition[]): string {
  const shown = anyOf.slice(0, SHOWN).map(describeCondition);
  if (anyOf.length > SHOWN) shown.push(`one of ${anyOf.length - SHOWN} others`);
  return shown.join(' or ');
}

const SHOWN = 10;

function describeRange({ low, lowOpen, high, highOpen }: NumberRange): string {
  const bounds: string[] = [];
  if (low !== Number.NEGATIVE_INFINITY) bounds.push(`${lowOpen ? '>' : '>='} ${low}`);
  if (high !== Number.POSITIVE_INFINITY) bounds.push(`${highOpen ? '<' : '<='} ${high}`);
  return bounds.join(' and ');
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
