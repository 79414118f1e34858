import type { Express } from 'express';
import type { Context } from '../context.ts';
import { answerTheRest, createBase } from './base-app.ts';

/** What a process without the API role says: how it is, and what it measures. */
export function createHealthApp(context: Context): Express {
  return answerTheRest(createBase(context), context);
}
