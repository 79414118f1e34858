import type { Config } from '../config/config.ts';
import type { EgressPolicy } from '../delivery/egress-policy.ts';
import type { RateLimit, SignatureScheme } from '../domain/endpoint.ts';
import { type Fault, Refusal } from '../domain/errors.ts';
import { generateSecret } from '../signing/generate-secret.ts';
import { readSecret } from '../signing/secret.ts';
import type { EndpointSettings } from '../store/endpoint-rows.ts';
import type { EndpointPatch } from '../store/update-endpoint.ts';
import { type GivenDestination, readDestination } from './destination-input.ts';
import type { EndpointPatchInput } from './endpoint-schema.ts';

interface Rules {
  readonly policy: EgressPolicy;
  readonly config: Config;
}

interface GivenSettings {
  /** For `chooseDestination`. */
  readonly given: GivenDestination;
  readonly settings: Omit<EndpointPatch, 'destination'>;
}

/**
 * What a body sets, checked against what the installation allows. Absent fields stay absent; null ones become the default.
 * @throws Refusal 422 with every fault
 */
export function settingsOf(input: EndpointPatchInput, { policy, config }: Rules): GivenSettings {
  const faults: Fault[] = [];
  const given = readDestination(input, { policy, types: config.DESTINATION_TYPES }, faults);
  if (faults.length > 0) throw new Refusal(422, 'invalid', 'The body is not valid.', { faults });
  const settings = {
    description: input.description,
    subscriptions: input.subscriptions,
    enabled: input.enabled,
    headers: input.headers,
    signature: input.signature,
    retrySchedule: input.retry_schedule === null ? [] : input.retry_schedule,
    timeoutSeconds: input.timeout_seconds,
    maxInFlight: input.max_in_flight,
    rateLimit: rateLimitOf(input.rate_limit),
    order: input.order,
    onDeadLetter: input.on_dead_letter,
    versionPins: input.versions,
    format: input.format,
    validation: input.validation,
    metadata: input.metadata,
  };
  return { given, settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) };
}

function rateLimitOf(input: EndpointPatchInput['rate_limit']): RateLimit | null | undefined {
  if (input === undefined || input === null) return input;
  return { perSecond: input.per_second, burst: input.burst ?? Math.max(1, input.per_second) };
}

/** Settings of an endpoint that says nothing but where its events go. */
export const defaultSettings: Omit<EndpointSettings, 'destination'> = {
  description: '',
  subscriptions: [],
  enabled: true,
  headers: {},
  signature: 'v1',
  retrySchedule: [],
  timeoutSeconds: null,
  maxInFlight: null,
  rateLimit: null,
  order: 'none',
  onDeadLetter: 'continue',
  versionPins: [],
  format: 'native',
  validation: 'none',
  metadata: {},
};

/**
 * The secret to sign with: the caller's own when it fits the scheme, else a new one.
 * @param valid secrets that sign already: one of them again would not be a new one
 * @throws Refusal 422 at `secret`, without a part of it
 */
export function secretFor(scheme: SignatureScheme, own: string | undefined, valid: readonly string[] = []): string {
  if (own === undefined) return generateSecret(scheme);
  const reading = readSecret(own);
  const wanted = scheme === 'v1' ? 'symmetric' : 'private';
  if (!reading.ok) throw badSecret(reading.detail);
  if (reading.secret.kind !== wanted) {
    throw badSecret(
      `expected ${scheme === 'v1' ? 'whsec_…' : 'whsk_…'}, because the signature of this endpoint is ${scheme}`,
    );
  }
  if (valid.includes(own)) throw badSecret('is in use by this endpoint already');
  return own;
}

function badSecret(message: string): Refusal {
  return new Refusal(422, 'invalid', 'The body is not valid.', { faults: [{ path: 'secret', message }] });
}
