import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { FilterIndex } from './filter-index.ts';
import { isWithin, parseCidr, parseIp } from './ip-network.ts';
import { readFilter } from './read-filter.ts';
import { SeededHash } from './seeded-hash.ts';

function add(index: FilterIndex, owner: number, networks: readonly string[]): number[] {
  const reading = readFilter({ ip: networks.map((cidr) => ({ cidr })) });
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.clauses.map((clause) => index.add(owner, clause));
}

test('an address costs as few lookups beside networks of all lengths as beside those of some', () => {
  const index = new FilterIndex();
  for (let owner = 0; owner < 20; owner++) {
    add(
      index,
      owner,
      [...Array(128).keys()].map((bits) => `2001:db8::${owner}/${bits + 1}`),
    );
    add(
      index,
      owner,
      [...Array(32).keys()].map((bits) => `10.0.0.${owner}/${bits + 1}`),
    );
  }
  const addresses = [...Array(500).keys()].flatMap((i) => [`2001:db8::${i}`, `${i}::1`, `10.0.${i >> 8}.${i & 255}`]);
  const walks = vi.spyOn(SeededHash.prototype, 'walk');
  try {
    expect(index.match({ ip: addresses })).toHaveLength(20);
    expect(walks.mock.calls.length).toBeLessThanOrEqual(addresses.length * 4);
  } finally {
    walks.mockRestore();
  }
});

const end = fc.constantFrom('0', '1', '7fff', '8000', 'ffff');
const v6 = fc.tuple(end, end, end).map(([a, b, c]) => `${a}:${b}::${c}`);
const octet = fc.constantFrom(0, 1, 10, 127, 128, 255);
const v4 = fc.tuple(octet, octet, octet).map(([a, b, c]) => `${a}.${b}.0.${c}`);
const cidr = fc.oneof(
  fc.tuple(v6, fc.nat(128)).map(([text, bits]) => `${text}/${bits}`),
  fc.tuple(v4, fc.nat(32)).map(([text, bits]) => `${text}/${bits}`),
);
const step = fc.tuple(fc.nat(11), fc.array(cidr, { minLength: 1, maxLength: 5 }), fc.oneof(v4, v6));

test('the index finds the networks that the plain check finds, of whatever lengths, and keeps nothing of those that went', () => {
  let matches = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const index = new FilterIndex(5);
      const empty = index.bytes;
      const present = new Map<number, { networks: readonly string[]; clauses: readonly number[] }>();
      const remove = (owner: number) => {
        for (const clause of present.get(owner)!.clauses) index.remove(clause);
        present.delete(owner);
      };
      for (const [owner, networks, text] of steps) {
        if (present.has(owner)) remove(owner);
        else present.set(owner, { networks, clauses: add(index, owner, networks) });
        for (const ip of [[text], [text, '::1', '10.0.0.1', 'x']]) {
          const wanted = [...present].filter(([, { networks: some }]) =>
            some.some((one) => ip.some((each) => isInText(each, one))),
          );
          const found = index.match({ ip });
          expect(found).toEqual(wanted.map(([num]) => num).sort((a, b) => a - b));
          matches += found.length;
        }
      }
      for (const owner of [...present.keys()]) remove(owner);
      expect(index.bytes).toBe(empty);
    }),
    { numRuns: 150 },
  );
  expect(matches).toBeGreaterThan(1_000);
});

function isInText(text: string, network: string): boolean {
  const groups = parseIp(text);
  return groups !== null && isWithin(groups, parseCidr(network)!);
}
