import type { z } from 'zod';

type Issue = z.core.$ZodRawIssue;

/**
 * Words a fault for which the schema has no words of its own: what is expected, or that a field is missing. It never shows what came, which may
 * be a secret. To be given to `safeParse` as `error`.
 */
export function inputMessage(issue: Issue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `unknown field ${issue.keys.join(', ')}`;
    case 'invalid_key':
    case 'invalid_element':
      return `${issue.code === 'invalid_key' ? 'its name' : 'an item'}: ${issue.issues[0]?.message ?? 'is not valid'}`;
    case 'invalid_union':
      return issue.discriminator === undefined
        ? unionMessage(issue)
        : told(issue.options as readonly unknown[], valueAt(issue));
    case 'invalid_value':
      return told(issue.values, issue.input);
    case 'invalid_type':
      return typeMessage(issue);
    case 'too_small':
    case 'too_big':
      return `expected ${bound(issue)}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return `expected ${formatOf(issue)}`;
    default:
      return 'is not valid';
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

const NUMBERS: readonly string[] = ['number', 'int'];

function typeMessage({ expected, input, inst }: Extract<Issue, { code: 'invalid_type' }>): string {
  // Of what is no number at all, a schema of whole numbers says that it is no number.
  const { format } = (inst?._zod.def ?? {}) as { format?: unknown };
  const wanted = expected === 'number' && format !== undefined ? 'int' : expected;
  const noun = TYPES[wanted] ?? wanted;
  if (input === undefined) return `is required: ${noun}`;
  if (typeof input !== 'number' || !NUMBERS.includes(wanted)) return `expected ${noun}, not ${typeOf(input)}`;
  return Number.isFinite(input) ? `expected ${noun}` : `expected ${noun} of at most ${Number.MAX_VALUE}`;
}

function typeOf(input: unknown): string {
  if (input === null) return 'null';
  if (typeof input === 'boolean') return 'a boolean';
  return TYPES[Array.isArray(input) ? 'array' : typeof input] ?? typeof input;
}

/** @param values those that are taken */
function told(values: readonly unknown[], input: unknown): string {
  const names = values.map(String);
  const noun = names.length > 2 ? `one of ${names.join(', ')}` : names.join(' or ');
  return input === undefined ? `is required: ${noun}` : `expected ${noun}`;
}

/** What the field has that says which of the alternatives is meant. */
function valueAt({ input, discriminator }: Extract<Issue, { code: 'invalid_union' }>): unknown {
  return (input as Record<string, unknown> | null | undefined)?.[discriminator!];
}

/** An alternative of which a part is at fault is the one that was meant; else any of them is expected. */
function unionMessage({ errors, input }: Extract<Issue, { code: 'invalid_union' }>): string {
  const deep = errors.flat().find(({ path }) => path.length > 0);
  if (deep !== undefined) return `${deep.path.join('.')}: ${deep.message}`;
  const nouns = errors.map(([first]) => nounOf(first?.message ?? ''));
  return `${input === undefined ? 'is required:' : 'expected'} ${nouns.join(', or ')}`;
}

/** `a string` of `expected a string, not null`. */
function nounOf(message: string): string {
  return message.replace(/^(?:is required:|expected) /, '').replace(/, not [a-z ]+$/, '');
}

const UNITS: Readonly<Record<string, string>> = { string: 'character', array: 'item', set: 'item', map: 'entry' };

function bound(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const unit = UNITS[issue.origin];
  const amount = unit === undefined ? `${limit}` : `${limit} ${unit}${Number(limit) === 1 ? '' : 's'}`;
  if (issue.exact) return `exactly ${amount}`;
  if (issue.code === 'too_small') return `${issue.inclusive === false ? 'more than' : 'at least'} ${amount}`;
  return `${issue.inclusive === false ? 'less than' : 'at most'} ${amount}`;
}

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'an RFC 3339 date-time such as 2024-03-14T10:30:00Z',
  date: 'a date such as 2024-03-14',
  base64: 'base64',
  uuid: 'a UUID',
  url: 'a URL',
};

function formatOf({ format, pattern }: Extract<Issue, { code: 'invalid_format' }>): string {
  return FORMATS[format] ?? (format === 'regex' ? `text that matches ${pattern}` : `text of the form ${format}`);
}
