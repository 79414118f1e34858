import type { Destination } from '../domain/destination.ts';
import type {
  EventFormat,
  OnDeadLetter,
  OrderMode,
  RateLimit,
  SignatureScheme,
  Validation,
} from '../domain/endpoint.ts';
import type { VersionPin } from '../domain/event-type.ts';
import { auditedDestination, destinationColumns, openDestination } from './endpoint-destination.ts';
import type { Prisma, Transaction } from './prisma.ts';
import { rateLimitOf } from './targets.ts';
import { type ValidationStatus, validationStatusOf } from './validation-columns.ts';
import { sealedPlace, unlessUnreadable, type Vault } from './vault.ts';

export interface Subscription {
  /** Type patterns; absent: every type. */
  readonly types?: readonly string[] | undefined;
  /** An event pattern, as JSON text: objects would lose the order of their names in the database. Absent: every event of these types. */
  readonly filter?: string | undefined;
}

/** What a tenant sets of an endpoint. Header values and passwords are in the clear: never log them. */
export interface EndpointSettings {
  readonly destination: Destination;
  readonly description: string;
  readonly subscriptions: readonly Subscription[];
  readonly enabled: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly signature: SignatureScheme;
  /** Seconds before each attempt, the first included; empty: the default schedule. */
  readonly retrySchedule: readonly number[];
  /** Null: the default of the installation. */
  readonly timeoutSeconds: number | null;
  /** Null: the default of the installation. */
  readonly maxInFlight: number | null;
  readonly rateLimit: RateLimit | null;
  readonly order: OrderMode;
  readonly onDeadLetter: OnDeadLetter;
  /** The first that matches a type counts. */
  readonly versionPins: readonly VersionPin[];
  readonly format: EventFormat;
  readonly validation: Validation;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What an endpoint holds sealed, beside its signing secrets. */
export type SealedPart = 'headers' | 'password';

export interface Endpoint extends EndpointSettings {
  readonly num: number;
  readonly id: string;
  /** What does not open with the keys at hand: headers are none here then, and the destination has no password. */
  readonly unreadable: readonly SealedPart[];
  readonly disabledReason: string | null;
  /** Null where no validation is wanted. */
  readonly validationStatus: ValidationStatus | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type EndpointRow = Prisma.EndpointGetPayload<object>;

/** What cannot be decrypted is left out and named, so that the endpoint can be seen and repaired. */
export function toEndpoint(row: EndpointRow, vault: Vault): Endpoint {
  const { num, id, description, enabled, disabledReason, retrySchedule, timeoutSeconds, maxInFlight } = row;
  const headers = unlessUnreadable(() => openHeaders(row, vault));
  const destination = unlessUnreadable(() =>
    openDestination(row.url, row.destination, row.destinationSealed, id, vault),
  );
  return {
    ...{ num, id, description, enabled, disabledReason, retrySchedule, timeoutSeconds, maxInFlight },
    unreadable: [
      ...(headers === null ? ['headers' as const] : []),
      ...(destination === null ? ['password' as const] : []),
    ],
    destination: destination ?? openDestination(row.url, row.destination, null, id, vault),
    subscriptions: row.subscriptions as unknown as Subscription[],
    headers: headers ?? {},
    signature: row.signature as SignatureScheme,
    rateLimit: rateLimitOf(row.ratePerSecond, row.rateBurst),
    order: row.orderMode as OrderMode,
    onDeadLetter: row.onDeadLetter as OnDeadLetter,
    versionPins: row.versionPins as unknown as VersionPin[],
    format: row.format as EventFormat,
    validation: row.validation as Validation,
    validationStatus: validationStatusOf(row),
    metadata: row.metadata as Record<string, unknown>,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

/** @throws UnsealError */
function openHeaders({ id, headersSealed }: EndpointRow, vault: Vault): Readonly<Record<string, string>> {
  return headersSealed === null ? {} : JSON.parse(vault.open(headersSealed, sealedPlace.endpointHeaders(id)));
}

/** The columns that hold these settings, for an insert or an update. */
export function columnsOf<Settings extends Partial<EndpointSettings>>(settings: Settings, id: string, vault: Vault) {
  const { destination, subscriptions, headers, retrySchedule, rateLimit, order, versionPins, metadata, ...plain } =
    settings;
  return {
    ...plain,
    ...(destination && destinationColumns(destination, id, vault)),
    ...(rateLimit !== undefined && {
      ratePerSecond: rateLimit?.perSecond ?? null,
      rateBurst: rateLimit?.burst ?? null,
    }),
    ...(subscriptions && { subscriptions: subscriptions as unknown as Prisma.InputJsonArray }),
    ...(headers && { headersSealed: sealHeaders(headers, id, vault) }),
    ...(order && { orderMode: order }),
    ...(versionPins && { versionPins: versionPins as unknown as Prisma.InputJsonArray }),
    ...(retrySchedule && { retrySchedule: [...retrySchedule] }),
    ...(metadata && { metadata: metadata as Prisma.InputJsonObject }),
  };
}

function sealHeaders(headers: EndpointSettings['headers'], id: string, vault: Vault): Buffer<ArrayBuffer> | null {
  if (Object.keys(headers).length === 0) return null;
  return vault.seal(JSON.stringify(headers), sealedPlace.endpointHeaders(id));
}

/**
 * Reads an endpoint and holds it until the transaction ends; null when the tenant has none of this id. Its key is not held: a worker that
 * saves what it knows of the endpoint refers to it, and would wait here while we wait for what it saves.
 */
export async function lockEndpoint(
  transaction: Transaction,
  tenantNum: number,
  id: string,
): Promise<EndpointRow | null> {
  await transaction.$queryRaw`SELECT num FROM endpoints WHERE id = ${id} AND tenant_num = ${tenantNum} FOR NO KEY UPDATE`;
  return transaction.endpoint.findFirst({ where: { id, tenantNum, deletedAt: null } });
}

/**
 * Settings as the audit log keeps them: filters as JSON text, because jsonb keeps neither the order of names nor every character,
 * of headers the names alone, because their values are often credentials, and no password.
 */
export function auditView(settings: Partial<EndpointSettings>): Prisma.InputJsonObject {
  const { destination, description, subscriptions, enabled, signature, format, validation, metadata } = settings;
  const view = {
    ...(destination && auditedDestination(destination)),
    ...{ description, subscriptions, enabled, signature, format, validation, metadata },
    headers: settings.headers && Object.keys(settings.headers).sort(),
    retry_schedule: settings.retrySchedule,
    timeout_seconds: settings.timeoutSeconds,
    max_in_flight: settings.maxInFlight,
    order: settings.order,
    on_dead_letter: settings.onDeadLetter,
    versions: settings.versionPins && Object.fromEntries(settings.versionPins.map((pin) => [pin.pattern, pin.major])),
    rate_limit: settings.rateLimit && { per_second: settings.rateLimit.perSecond, burst: settings.rateLimit.burst },
  };
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined)) as Prisma.InputJsonObject;
}
