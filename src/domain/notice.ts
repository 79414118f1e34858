/** What tenants are told of by events of Posthorn's own. */
export const NOTICE_KINDS = [
  'endpoint.disabled',
  'endpoint.enabled',
  'endpoint.breaker_opened',
  'endpoint.breaker_closed',
  'endpoint.throttled',
  'delivery.failing',
  'delivery.recovered',
  'delivery.dead_lettered',
] as const;

export type NoticeKind = (typeof NOTICE_KINDS)[number];
export type EndpointNoticeKind = Extract<NoticeKind, `endpoint.${string}`>;

/** The type of the event that tells of it. */
export function systemType(kind: NoticeKind): string {
  return `system.${kind}`;
}

/** What is said of a change of an endpoint. It goes to the tenant as it is: no secret, no URL. */
export interface NoticeDetail {
  /** One line for people. */
  readonly reason?: string;
  /** Who did it. */
  readonly by?: 'operator' | 'tenant' | 'system';
  /** The receiver's HTTP status that led to it. */
  readonly status?: number;
  /** RFC 3339: when it ends by itself, or is looked at again. */
  readonly until?: string;
}
