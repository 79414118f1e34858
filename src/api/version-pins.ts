import { z } from 'zod';
import type { VersionPin } from '../domain/event-type.ts';
import { typePatternProblem } from '../routing/type-pattern.ts';

const MAX_PINS = 50;

export const versionPinsDescription =
  'The major version that the endpoint wants of the types that a pattern matches, such as `{"payment.*": "1"}`; the first pattern that matches counts. Events of another major are cast where their versions say how, and come as they are otherwise.';

/** Pins by type pattern, kept in their order. */
export const versionPins = z
  .record(z.string(), z.string().regex(/^\d{1,9}$/, 'expected a major version such as "1"'))
  .describe(versionPinsDescription)
  .superRefine((pins, context) => {
    const patterns = Object.keys(pins);
    if (patterns.length > MAX_PINS)
      context.addIssue({ code: 'custom', message: `expected at most ${MAX_PINS} patterns` });
    for (const pattern of patterns) {
      const problem = typePatternProblem(pattern);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem, path: [pattern] });
    }
  })
  .transform((pins): readonly VersionPin[] =>
    Object.entries(pins).map(([pattern, major]) => ({ pattern, major: Number(major) })),
  );

export function versionPinsJson(pins: readonly VersionPin[]): Record<string, string> {
  return Object.fromEntries(pins.map(({ pattern, major }) => [pattern, String(major)]));
}
