import { expect, test } from 'vitest';
import { z } from 'zod';
import { checkSchema } from './check-schema.ts';
import { eventInput } from './event-input.ts';

const said = (schema: z.ZodType, input: unknown) => {
  const checked = checkSchema(schema, input);
  return checked.ok ? [] : checked.faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
};
const field = (schema: z.ZodType) => z.strictObject({ a: schema });
const secret = 's3cret';

test.each<[string, z.ZodType, unknown, string]>([
  ['text that is missing', z.string(), undefined, 'is required: a string'],
  ['a whole number that is missing', z.int(), undefined, 'is required: a whole number'],
  ['a truth that is missing', z.boolean(), undefined, 'is required: true or false'],
  ['a list that is missing', z.array(z.string()), undefined, 'is required: an array'],
  ['an object that is missing', z.strictObject({}), undefined, 'is required: an object'],
  ['a choice that is missing', z.enum(['b', 'c']), undefined, 'is required: b or c'],
  ['a number for text', z.string(), 5, 'expected a string, not a number'],
  ['null for text', z.string(), null, 'expected a string, not null'],
  ['text for a number', z.number(), secret, 'expected a number, not a string'],
  ['text for a whole number', z.int(), secret, 'expected a whole number, not a string'],
  ['a fraction for a whole number', z.int(), 1.5, 'expected a whole number'],
  [
    'a number past the doubles',
    z.number(),
    JSON.parse('1e400'),
    'expected a number of at most 1.7976931348623157e+308',
  ],
  ['true for an object', z.record(z.string(), z.string()), true, 'expected an object, not a boolean'],
  ['a list for text of some length', z.string().min(1).max(2), [], 'expected a string, not an array'],
  ['another than the one', z.literal(true), secret, 'expected true'],
  ['none of the choices', z.enum(['b', 'c', 'd']), secret, 'expected one of b, c, d'],
  ['text that is too short', z.string().min(1), '', 'expected at least 1 character'],
  ['text that is too long', z.string().max(5), secret, 'expected at most 5 characters'],
  ['text of another length', z.string().length(5), secret, 'expected exactly 5 characters'],
  ['too few items', z.array(z.int()).min(2), [1], 'expected at least 2 items'],
  ['too small a number', z.int().min(1), 0, 'expected at least 1'],
  ['too large a number', z.number().lt(3), 3, 'expected less than 3'],
  ['no multiple', z.number().multipleOf(5), 3, 'expected a multiple of 5'],
  ['no date-time', z.iso.datetime(), secret, 'expected an RFC 3339 date-time such as 2024-03-14T10:30:00Z'],
  ['no UUID', z.uuid(), secret, 'expected a UUID'],
  ['no match', z.string().regex(/^[a-z]+$/), secret, 'expected text that matches /^[a-z]+$/'],
  ['neither type', z.union([z.boolean(), z.string()]), 5, 'expected true or false, or a string'],
  ['neither type, missing', z.union([z.boolean(), z.string()]), undefined, 'is required: true or false, or a string'],
  [
    'a part of an alternative',
    z.union([z.boolean(), field(z.string())]),
    { a: 5 },
    'a: expected a string, not a number',
  ],
  ['what has words of its own', z.string('expected a name'), 5, 'expected a name'],
  ['what has no words at all', z.string().refine(() => false), secret, 'is not valid'],
])('%s', (_, schema, input, message) => {
  expect(said(field(schema), input === undefined ? {} : { a: input })).toEqual([`a: ${message}`]);
});

test('a name that cannot be one, and a kind that is missing or unknown, are told at their place', () => {
  expect(said(z.record(z.string().max(1), z.unknown()), { bb: 1 })).toEqual([
    'bb: its name: expected at most 1 character',
  ]);
  const kinds = z.discriminatedUnion('type', [z.object({ type: z.literal('b') }), z.object({ type: z.literal('c') })]);
  expect(said(kinds, {})).toEqual(['type: is required: b or c']);
  expect(said(kinds, { type: secret })).toEqual(['type: expected b or c']);
});

test('an event is told all its faults, and unknown fields by their names', () => {
  const event = { type: 7, subject: '', metadata: { source: [] }, more: secret };
  expect(said(eventInput, event)).toEqual([
    'type: expected a string, not a number',
    'subject: expected at least 1 character',
    'data: required',
    'metadata.source: expected a string, not an array',
    'more: unknown field',
  ]);
});
