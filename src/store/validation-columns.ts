import type { Validation } from '../domain/endpoint.ts';
import type { EndpointRow } from './endpoint-rows.ts';

/** Whether a receiver has agreed to get deliveries. */
export interface ValidationStatus {
  readonly state: 'pending' | 'validated' | 'refused';
  /** Why it is not validated, for people. */
  readonly detail: string | null;
  /** How often it was asked since it was last decided that it is to be asked. */
  readonly tries: number;
  readonly validatedAt: Date | null;
  /** Requests a minute that the receiver allows; null: any number. */
  readonly allowedPerMinute: number | null;
}

/** The columns of an endpoint whose receiver is to be asked, at once, whatever it said before. */
export function toBeAsked() {
  const forgotten = { validationDetail: null, validatedAt: null, validatedOrigin: null, allowedPerMinute: null };
  // Due long ago, so that no clock but Postgres's has to be asked.
  return { ...forgotten, validationState: 'pending', validationTries: 0, validationDueAt: new Date(0) };
}

/** The columns that follow from what an endpoint wants of its receiver. */
export function validationColumns(validation: Validation) {
  return validation === 'none' ? { ...toBeAsked(), validationState: null, validationDueAt: null } : toBeAsked();
}

export function validationStatusOf(row: EndpointRow): ValidationStatus | null {
  if (row.validation === 'none') return null;
  const { validationDetail: detail, validationTries: tries, validatedAt, allowedPerMinute } = row;
  const state = (row.validationState ?? 'pending') as ValidationStatus['state'];
  return { state, detail, tries, validatedAt, allowedPerMinute };
}
