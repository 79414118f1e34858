import type pg from 'pg';
import type { DeliveryTarget, EventFormat, OnDeadLetter, RateLimit, SignatureScheme } from '../domain/endpoint.ts';
import type { VersionPin } from '../domain/event-type.ts';
import { openDestination } from './endpoint-destination.ts';
import { plainArray } from './plain-array.ts';
import { sealedPlace, UnsealError, type Vault } from './vault.ts';

export interface TargetDefaults {
  readonly retryScheduleMs: readonly number[];
  readonly timeoutMs: number;
  readonly maxInFlight: number;
}

export interface PinnedTypes {
  readonly pins: readonly VersionPin[];
  /** The version of the tenant's event types that must be known at least, to cast for these pins. */
  readonly typesVersion: bigint;
}

/** Counts what casting the bodies of a tenant's events costs, in places of JSON that were looked at. */
export interface CastLedger {
  readonly paid: (tenantNum: number, cost: number) => void;
}

/** Makes of a body what an endpoint with pinned versions gets. */
export type CastBody = (body: Uint8Array, ledger: CastLedger) => Uint8Array;

/** An endpoint as deliveries see it, or why it cannot be used (its secrets do not open with the keys at hand). */
export type LoadedTarget =
  | {
      readonly kind: 'target';
      readonly target: DeliveryTarget;
      /** When one of its secrets expires. */
      readonly refreshAtMs: number | null;
      /** The saved gate, as `saveEndpointStates` took it; and how often somebody other than the lane's owner rewrote that. */
      readonly gate: unknown;
      readonly resets: number;
      /** Present if the endpoint wants certain versions of types. */
      readonly pinned?: PinnedTypes;
      /** Casts a body to what the endpoint wants. Set by the caller that knows the event types, not here. */
      readonly cast?: CastBody;
    }
  | {
      readonly kind: 'unusable';
      readonly num: number;
      readonly id: string;
      readonly tenantId: string;
      readonly version: number;
      readonly problem: string;
    };

interface Row {
  num: number;
  id: string;
  tenant_num: number;
  tenant_id: string;
  url: string;
  destination: unknown;
  destination_sealed: Buffer | null;
  enabled: boolean;
  deleted: boolean;
  headers_sealed: Buffer | null;
  signature: SignatureScheme;
  retry_schedule: number[];
  timeout_seconds: number | null;
  max_in_flight: number | null;
  rate_per_second: number | null;
  rate_burst: number | null;
  on_dead_letter: OnDeadLetter;
  version_pins: VersionPin[];
  types_version: string;
  format: EventFormat;
  held: boolean;
  validated_origin: string | null;
  allowed_per_minute: number | null;
  gate: unknown;
  resets: number;
  version: string;
  secret_ids: string[] | null;
  secrets: Buffer[] | null;
  next_expiry_ms: number | null;
}

const LOAD = `
  SELECT e.num, e.id, e.tenant_num, t.id AS tenant_id, e.url, e.destination, e.destination_sealed, e.enabled, (e.deleted_at IS NOT NULL OR t.deleted_at IS NOT NULL) AS deleted,
         e.headers_sealed, e.signature, e.retry_schedule, e.timeout_seconds, e.max_in_flight, e.rate_per_second, e.rate_burst, e.on_dead_letter, e.version_pins, t.types_version, e.version,
         e.format, (e.validation <> 'none' AND e.validation_state IS DISTINCT FROM 'validated') AS held, e.validated_origin, e.allowed_per_minute,
         st.gate, coalesce(st.resets, 0) AS resets,
         s.ids AS secret_ids, s.secrets, (extract(epoch FROM s.next_expiry) * 1000)::float8 AS next_expiry_ms
    FROM endpoints e
    JOIN tenants t ON t.num = e.tenant_num
    LEFT JOIN endpoint_states st ON st.endpoint_num = e.num
    LEFT JOIN LATERAL (
      SELECT array_agg(id ORDER BY expires_at DESC NULLS FIRST, id DESC) AS ids,
             array_agg(sealed ORDER BY expires_at DESC NULLS FIRST, id DESC) AS secrets, min(expires_at) AS next_expiry
        FROM endpoint_secrets WHERE endpoint_num = e.num AND (expires_at IS NULL OR expires_at > now())
    ) s ON true
   WHERE e.num = ANY($1::int[])`;

/** Endpoints by number, secrets opened. Numbers that do not exist are absent. */
export async function loadTargets(
  pool: pg.Pool,
  vault: Vault,
  defaults: TargetDefaults,
  nums: readonly number[],
): Promise<Map<number, LoadedTarget>> {
  const { rows } = await pool.query<Row>({ name: 'load-targets', text: LOAD, values: [plainArray(nums)] });
  return new Map(rows.map((row) => [row.num, toTarget(row, vault, defaults)]));
}

function toTarget(row: Row, vault: Vault, defaults: TargetDefaults): LoadedTarget {
  const { num, id } = row;
  const version = Number(row.version);
  try {
    const ids = row.secret_ids ?? [];
    const target: DeliveryTarget = {
      num,
      id,
      tenantNum: row.tenant_num,
      tenantId: row.tenant_id,
      destination: openDestination(row.url, row.destination, row.destination_sealed, id, vault),
      enabled: row.enabled,
      deleted: row.deleted,
      headers:
        row.headers_sealed === null ? {} : JSON.parse(vault.open(row.headers_sealed, sealedPlace.endpointHeaders(id))),
      secrets: (row.secrets ?? []).map((sealed, i) => vault.open(sealed, sealedPlace.endpointSecret(id, ids[i]!))),
      retryScheduleMs:
        row.retry_schedule.length === 0
          ? defaults.retryScheduleMs
          : row.retry_schedule.map((seconds) => seconds * 1000),
      timeoutMs: row.timeout_seconds === null ? defaults.timeoutMs : row.timeout_seconds * 1000,
      maxInFlight: row.max_in_flight ?? defaults.maxInFlight,
      rateLimit: slowerOf(rateLimitOf(row.rate_per_second, row.rate_burst), row.allowed_per_minute),
      onDeadLetter: row.on_dead_letter,
      format: row.format,
      awaitsValidation: row.held,
      requestOrigin: row.validated_origin,
      version,
    };
    const { next_expiry_ms: refreshAtMs, gate, resets } = row;
    const loaded = { kind: 'target' as const, target, refreshAtMs, gate, resets };
    const { version_pins: pins, types_version: typesVersion } = row;
    return pins.length === 0 ? loaded : { ...loaded, pinned: { pins, typesVersion: BigInt(typesVersion) } };
  } catch (error) {
    if (!(error instanceof UnsealError)) throw error;
    return { kind: 'unusable', num, id, tenantId: row.tenant_id, version, problem: error.message };
  }
}

/** An endpoint's rate limit as its columns hold it: both or none. */
export function rateLimitOf(perSecond: number | null, burst: number | null): RateLimit | null {
  return perSecond === null || burst === null ? null : { perSecond, burst };
}

/** An endpoint's own rate limit, within what its receiver has allowed it. */
function slowerOf(own: RateLimit | null, allowedPerMinute: number | null): RateLimit | null {
  if (allowedPerMinute === null) return own;
  const perSecond = allowedPerMinute / 60;
  const allowed = { perSecond, burst: Math.max(1, perSecond) };
  if (own === null) return allowed;
  return {
    perSecond: Math.min(own.perSecond, allowed.perSecond),
    burst: Math.min(own.burst, allowed.burst),
  };
}

/** Versions of endpoints' settings, to see which of them changed. */
export async function targetVersions(pool: pg.Pool, nums: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ num: number; version: string }>({
    name: 'target-versions',
    text: 'SELECT num, version FROM endpoints WHERE num = ANY($1::int[])',
    values: [plainArray(nums)],
  });
  return new Map(rows.map((row) => [row.num, Number(row.version)]));
}
