import { EVENT_TYPE, isReservedType } from '../routing/type-pattern.ts';
import {
  EVENT_ID,
  type EventInput,
  IDEMPOTENCY_KEY,
  isPrintable,
  isRfc3339,
  MAX_SHORT_TEXT,
  MAX_TENANT_ID,
  TYPE_VERSION,
} from './event-input.ts';

/**
 * Checks an event by the rules of `eventInput`, for the thousands a second of which there is nothing to say: several times as fast.
 * @param value what `JSON.parse` made of the event
 * @returns the event itself and how many members it has; null when `eventInput` is to say what is wrong, if anything is
 */
export function plainInput(value: object): { readonly input: EventInput; readonly members: number } | null {
  let members = 0;
  for (const name in value) {
    members++;
    if (!isGood(name, value[name as keyof typeof value])) return null;
  }
  const input = value as EventInput;
  return input.type === undefined || input.data === undefined ? null : { input, members };
}

/** False: not good, or not known here. */
function isGood(name: string, value: unknown): boolean {
  if (name === 'data') return true;
  if (name === 'metadata') return isGoodMetadata(value);
  if (typeof value !== 'string') return false;
  switch (name) {
    case 'id':
      return EVENT_ID.test(value);
    case 'type':
      return EVENT_TYPE.test(value) && !isReservedType(value);
    case 'version':
      return TYPE_VERSION.test(value);
    case 'timestamp':
      return isRfc3339(value);
    case 'tenant_id':
      return value.length > 0 && value.length <= MAX_TENANT_ID;
    case 'correlation_id':
    case 'subject':
      return isShortText(value);
    default:
      return false;
  }
}

function isGoodMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  // zod drops it.
  if (Object.hasOwn(value, '__proto__')) return false;
  const { source, idempotency_key: key } = value as { source?: unknown; idempotency_key?: unknown };
  if (source !== undefined && !(typeof source === 'string' && isShortText(source))) return false;
  return key === undefined || (typeof key === 'string' && IDEMPOTENCY_KEY.test(key));
}

function isShortText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_SHORT_TEXT && isPrintable(text);
}
