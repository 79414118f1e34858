import { z } from 'zod';

/** Text that Postgres can hold: it has no NUL, and half a surrogate pair is no character. */
export const storableText = z
  .string()
  .refine((text) => !text.includes('\0') && text.isWellFormed(), 'expected valid Unicode without NUL');
