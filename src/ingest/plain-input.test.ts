import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEvents } from './json-text.ts';
import { readEvent } from './read-event.ts';
import { readRequest } from './read-request.ts';

/** A string as JSON, its letters escaped here and there. */
const spelled = (text: fc.Arbitrary<string>) =>
  fc.tuple(text, fc.integer({ min: 0, max: 20 })).map(([plain, nth]) => {
    const json = JSON.stringify(plain);
    const letter = json[nth];
    if (letter === undefined || !/[a-z_.]/.test(letter) || json.includes('\\')) return json;
    return `${json.slice(0, nth)}\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}${json.slice(nth + 1)}`;
  });

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('', 'é', 'a\nb', '\ud800', '\u0085', 'x'.repeat(255), 'x'.repeat(257), 'ü'.repeat(128), '"\\'),
);
const anything = fc.oneof(
  text.map((each) => JSON.stringify(each)),
  fc.json({ maxDepth: 2 }),
);
const fields: Readonly<Record<string, readonly string[]>> = {
  id: ['a', 'evt_1', 'a.b', 'x'.repeat(256), 'x'.repeat(257), ''],
  type: ['a.b', 'a', 'system', 'system.x', 'systematic', 'a..b', 'x'.repeat(128), 'x'.repeat(129), 'a\n'],
  version: ['1.0', '1.0.0', '1', '1.0.0.0', '1.0\n', '1234567890.0'],
  timestamp: [
    '2024-03-14T10:30:00Z',
    '2024-02-29t23:59:60.5z',
    '2023-02-29T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '2024-12-31T23:59:59+05:30',
    '2024-13-01T00:00:00Z',
    '2024-00-10T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:61Z',
    '0000-02-29T00:00:00Z',
    '0100-02-29T00:00:00Z',
  ],
  tenant_id: ['tenant_1', 'x'.repeat(128), 'x'.repeat(129), ''],
  correlation_id: ['corr', 'a b'],
  subject: ['order/1', '\t'],
};

const member = fc.oneof(
  ...Object.entries(fields).map(([name, texts]) =>
    fc.tuple(
      spelled(fc.constant(name)),
      fc.oneof({ weight: 8, arbitrary: spelled(fc.constantFrom(...texts)) }, { weight: 1, arbitrary: anything }),
    ),
  ),
  fc.tuple(spelled(fc.constant('data')), anything),
  fc.tuple(
    spelled(fc.constant('metadata')),
    fc.oneof(
      fc.constantFrom(
        '{}',
        '{"source":"s","more":[1, 2]}',
        '{"source":""}',
        '{"source":null}',
        '{"idempotency_key":"k"}',
        '{"idempotency_key":"é"}',
        '{"idempotency_key":""}',
        '{"__proto__":{"idempotency_key":"k"}}',
        '{"source":"s","source":"t"}',
      ),
      anything,
    ),
  ),
  fc.tuple(fc.constantFrom('"more"', '"__proto__"', '"constructor"', '"d"', '"m"', '""'), anything),
);

const LIMITS = { maxEvents: 9, maxEventBytes: 1_000_000 };

const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n ');
/** An event that is mostly good: what else it has comes around a type and data. */
const eventText = fc
  .tuple(fc.array(fc.tuple(member, space, space), { maxLength: 5 }), fc.boolean(), space)
  .map(([members, isWhole, around]) => {
    const texts = members.map(([[name, value], before, after]) => `${before}${name}${after}:${before}${value}${after}`);
    const rest = isWhole ? ['"type":"a.b"', `"data":${around}{ "n":${around}1.10 }`] : [];
    return `${around}{${[...texts, ...rest].join(',')}}${around}`;
  });

test('an event that is read the fast way is the event that it is the other way; what is refused is refused either way, with the same faults', () => {
  let fast = 0;
  const property = fc.property(eventText, (each) => {
    const { value, sliced } = parseEvents(each, LIMITS, { mayBeArray: true, isNative: true });
    const slow = readEvent(value, each);
    expect(readEvent(value, each, sliced?.events[0])).toEqual(slow);
    if (slow.ok && sliced !== null) fast++;
  });
  fc.assert(property, { numRuns: 5_000 });
  // Otherwise nothing was compared.
  expect(fast).toBeGreaterThan(500);
});

test('a batch of any events is cut where it would be cut event by event', () => {
  const property = fc.property(fc.array(eventText, { minLength: 1, maxLength: 4 }), space, (texts, around) => {
    const body = Buffer.from(`${around}[${texts.join(`${around},`)}]${around}`);
    const { events } = readRequest(body, 'json', LIMITS);
    const each = events.map(({ value, text: own, slice }) => readEvent(value, own, slice));
    expect(each).toEqual(texts.map((one) => readEvent(JSON.parse(one), one)));
    expect(events.map(({ text: own }) => own)).toEqual(texts.map((one) => one.trim()));
    for (const { bytes, text: own } of events) expect(bytes ?? Buffer.byteLength(own)).toBe(Buffer.byteLength(own));
  });
  fc.assert(property, { numRuns: 1_000 });
});
