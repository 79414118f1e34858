import type { z } from 'zod';
import { defaultSchedule } from '../delivery/retry-policy.ts';
import type { Caller, TenantRef } from '../domain/caller.ts';
import { urlOf } from '../domain/destination.ts';
import { DEFAULT_MAX_IN_FLIGHT } from '../domain/endpoint.ts';
import type { Endpoint, Subscription } from '../store/endpoint-rows.ts';
import { destinationJson } from './destination-json.ts';
import type { endpointSchema } from './endpoint-schema.ts';
import { MASK, maskHeaders } from './header-input.ts';
import { versionPinsJson } from './version-pins.ts';

export interface Viewer {
  readonly caller: Caller;
  readonly tenant: TenantRef;
  /** For endpoints that do not set their own. */
  readonly timeoutSeconds: number;
}

/** An endpoint as its API shows it, defaults filled in. Header values are for callers who could also set them. */
export function endpointJson(
  endpoint: Endpoint,
  { caller, tenant, timeoutSeconds }: Viewer,
): z.infer<typeof endpointSchema> {
  const mayWrite = caller.kind === 'operator' || caller.scopes.has('endpoints:write');
  const schedule =
    endpoint.retrySchedule.length > 0 ? [...endpoint.retrySchedule] : defaultSchedule.map((ms) => ms / 1000);
  return {
    id: endpoint.id,
    tenant_id: tenant.id,
    url: urlOf(endpoint.destination),
    destination: destinationJson(endpoint.destination),
    description: endpoint.description,
    subscriptions: endpoint.subscriptions.map(subscriptionJson),
    enabled: endpoint.enabled,
    disabled_reason: endpoint.disabledReason,
    ...(endpoint.unreadable.length > 0 && { unreadable: [...endpoint.unreadable] }),
    headers: headersJson(endpoint, mayWrite),
    signature: endpoint.signature,
    retry_schedule: schedule,
    timeout_seconds: endpoint.timeoutSeconds ?? timeoutSeconds,
    rate_limit:
      endpoint.rateLimit === null
        ? null
        : { per_second: endpoint.rateLimit.perSecond, burst: endpoint.rateLimit.burst },
    max_in_flight: endpoint.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    order: endpoint.order,
    on_dead_letter: endpoint.onDeadLetter,
    versions: versionPinsJson(endpoint.versionPins),
    format: endpoint.format,
    validation: endpoint.validation,
    validation_status: validationJson(endpoint.validationStatus),
    metadata: endpoint.metadata,
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString(),
  };
}

/**
 * If the headers cannot be decrypted, not even their names are known. What is shown in their place is refused when it is sent back: it
 * would replace the real ones.
 */
function headersJson({ headers, unreadable }: Endpoint, mayWrite: boolean): Record<string, string> {
  if (unreadable.includes('headers')) return { [MASK]: MASK };
  return mayWrite ? { ...headers } : maskHeaders(headers);
}

function validationJson(status: Endpoint['validationStatus']): z.infer<typeof endpointSchema>['validation_status'] {
  if (status === null) return null;
  const { state, detail, tries, validatedAt, allowedPerMinute } = status;
  return {
    ...{ state, detail, tries },
    validated_at: validatedAt?.toISOString() ?? null,
    allowed_per_minute: allowedPerMinute,
  };
}

function subscriptionJson({ types, filter }: Subscription): z.infer<typeof endpointSchema>['subscriptions'][number] {
  return {
    ...(types === undefined ? {} : { types: [...types] }),
    ...(filter === undefined ? {} : { filter: JSON.parse(filter) as Record<string, unknown> }),
  };
}
