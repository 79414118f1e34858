import type { z } from 'zod';

const MAX_NAMES = 50;
const MAX_BYTES = 16 * 1024;

/** An object of the tenant's own, as `jsonb` can hold and return it. */
export function readMetadata(value: unknown, context: z.RefinementCtx): Record<string, unknown> {
  const message = metadataProblem(value);
  if (message !== null) context.addIssue({ code: 'custom', message });
  return value as Record<string, unknown>;
}

function metadataProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected an object';
  if (Object.keys(value).length > MAX_NAMES) return `expected at most ${MAX_NAMES} names`;
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_BYTES) return `expected at most ${MAX_BYTES} bytes of JSON`;
  return contentProblem(value);
}

/** Depth is bounded by the reading of the body. */
function contentProblem(value: unknown): string | null {
  if (typeof value === 'string') return textProblem(value);
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'has a number that is too large';
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, inner] of Object.entries(value)) {
    const problem =
      name === '__proto__' ? 'must not have the name __proto__' : (textProblem(name) ?? contentProblem(inner));
    if (problem !== null) return problem;
  }
  return null;
}

function textProblem(text: string): string | null {
  return text.includes('\0') || !text.isWellFormed() ? 'has text that is not valid Unicode, or a NUL' : null;
}
