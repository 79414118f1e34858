import type { Condition } from './condition.ts';
import { type IpNetwork, prefixKey } from './ip-network.ts';
import { KIND } from './record-kind.ts';
import { doubleOf, textOf, type UnitBuffer } from './unit-buffer.ts';
import { readWildcard } from './wildcard.ts';

const LITERALS = [null, false, true];
const LOW_OPEN = 1;
const HIGH_OPEN = 2;

/** Any condition but `except`, which is a list of others. */
export type PlainCondition = Exclude<Condition, { kind: 'except' }>;

/** Appends what the condition says, except for its kind, to the buffer: the same units for the same condition. @returns the kind */
export function writeCondition(condition: PlainCondition, buffer: UnitBuffer): number {
  switch (condition.kind) {
    case 'string':
    case 'equals':
    case 'wildcard':
    case 'glob':
      buffer.putText(condition.text);
      return KIND[condition.kind];
    case 'prefix':
      buffer.putText(condition.text);
      return condition.fold ? KIND.foldedPrefix : KIND.prefix;
    case 'suffix':
      buffer.putText(condition.text);
      return condition.fold ? KIND.foldedSuffix : KIND.suffix;
    case 'number':
      buffer.putDouble(condition.value);
      return KIND.number;
    case 'literal':
      buffer.putUnit(LITERALS.indexOf(condition.value));
      return KIND.literal;
    case 'range':
      buffer.putDouble(condition.low);
      buffer.putDouble(condition.high);
      buffer.putUnit((condition.lowOpen ? LOW_OPEN : 0) | (condition.highOpen ? HIGH_OPEN : 0));
      return KIND.range;
    case 'cidr': {
      const { groups, bits } = condition.network;
      writePrefix(groups, bits, buffer);
      return KIND.cidr;
    }
    case 'exists':
    case 'absent':
      return KIND[condition.kind];
  }
}

/** Appends what all addresses of a network have in common: family and length of the prefix, then its bits. @returns where it begins */
export function writePrefix(groups: readonly number[], bits: number, buffer: UnitBuffer): number {
  const from = buffer.putUnit((groups.length << 8) | bits);
  buffer.putText(prefixKey(groups, bits));
  return from;
}

/**
 * Reads back what `writeCondition` wrote, but for the text of a CIDR, which is not kept.
 * @param units those of the condition alone
 */
export function readWritten(kind: number, units: Uint16Array): PlainCondition {
  const text = () => textOf(units);
  switch (kind) {
    case KIND.string:
      return { kind: 'string', text: text() };
    case KIND.equals:
      return { kind: 'equals', text: text() };
    case KIND.prefix:
    case KIND.foldedPrefix:
      return { kind: 'prefix', text: text(), fold: kind === KIND.foldedPrefix };
    case KIND.suffix:
    case KIND.foldedSuffix:
      return { kind: 'suffix', text: text(), fold: kind === KIND.foldedSuffix };
    case KIND.glob:
      return { kind: 'glob', text: text() };
    case KIND.wildcard:
      return wildcardOf(text());
    case KIND.number:
      return { kind: 'number', value: doubleOf(units, 0) };
    case KIND.literal:
      return { kind: 'literal', value: LITERALS[units[0]!]! };
    case KIND.range: {
      const flags = units[8]!;
      const [lowOpen, highOpen] = [(flags & LOW_OPEN) !== 0, (flags & HIGH_OPEN) !== 0];
      return { kind: 'range', low: doubleOf(units, 0), lowOpen, high: doubleOf(units, 4), highOpen };
    }
    case KIND.cidr:
      return { kind: 'cidr', text: '', network: readPrefix(units) };
    default:
      return { kind: kind === KIND.exists ? 'exists' : 'absent' };
  }
}

function wildcardOf(text: string): PlainCondition {
  const reading = readWildcard(text);
  if (!reading.ok) throw new Error(`A wildcard of the index cannot be read: ${reading.message}`);
  return { kind: 'wildcard', text, wildcard: reading.wildcard };
}

/** Reads back what `writePrefix` wrote. */
export function readPrefix(units: Uint16Array): IpNetwork {
  const bits = units[0]! & 0xff;
  const rest = bits & 15;
  const groups = Array.from({ length: units[0]! >>> 8 }, (_, i) => {
    const group = units[1 + i] ?? 0;
    return rest !== 0 && i === bits >> 4 ? group << (16 - rest) : group;
  });
  return { groups, bits };
}
