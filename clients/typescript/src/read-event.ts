import type { NewEvent } from './api.ts';

/** In runtimes that keep the text of a number (Node 22 or later): https://github.com/tc39/proposal-json-parse-with-source */
interface ExactJson {
  readonly rawJSON?: (text: string) => unknown;
}

/**
 * An event from its text. Numbers that a double does not hold as they are written (`12345678901234567891`, `1.0`) are `JSON.rawJSON`, which
 * `JSON.stringify` writes as it was; where the runtime has none they become doubles, and the text alone is exact.
 */
export function readEvent(text: string): NewEvent {
  const read = JSON.parse(text);
  const { rawJSON } = JSON as ExactJson;
  // Most events are the same again, and to look at every number of theirs takes several times as long.
  if (rawJSON === undefined || JSON.stringify(read) === text) return read;
  return JSON.parse(text, (_: string, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source;
    return typeof value !== 'number' || source === undefined || JSON.stringify(value) === source
      ? value
      : rawJSON(source);
  });
}
