import { isUtf8 } from 'node:buffer';
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { Refusal } from '../domain/errors.ts';
import { MAX_FAULTS } from './check-input.ts';

/**
 * Parses the query of a request, for Express. Express's own parser would put U+FFFD where there is no valid UTF-8: such a filter matches
 * nothing, and would be answered with an empty list.
 * @param text as Node has it: one character for each byte
 * @throws Refusal 422 with the names of the parameters that are no UTF-8
 */
export function parseQuery(text: string | null | undefined): ParsedUrlQuery {
  const broken = new Set<string>();
  const decode = (part: string) => {
    const bytes = bytesOf(part);
    const decoded = bytes.toString();
    if (!isUtf8(bytes)) broken.add(decoded);
    return decoded;
  };
  const query = parse(text ?? '', undefined, undefined, { decodeURIComponent: decode });
  if (broken.size === 0) return query;
  const faults = Object.entries(query).flatMap(([path, given]) =>
    [path, given].flat().some((one) => broken.has(one!)) ? [{ path, message: 'is not valid UTF-8' }] : [],
  );
  throw new Refusal(422, 'invalid', 'The query parameters are not valid.', { faults: faults.slice(0, MAX_FAULTS) });
}

function bytesOf(part: string): Buffer {
  return Buffer.from(
    part.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
