/** What a tenant key may do. Operator keys may do everything, in every tenant. */
export const SCOPES = [
  'events:write',
  'events:read',
  'endpoints:write',
  'endpoints:read',
  'deliveries:read',
  'deliveries:write',
] as const;

export type Scope = (typeof SCOPES)[number];

/** Who is calling. `actor` is what the audit log says of them. */
export type Caller =
  | { readonly kind: 'operator'; readonly actor: string }
  | {
      readonly kind: 'tenant';
      readonly actor: string;
      readonly tenant: TenantRef;
      readonly scopes: ReadonlySet<Scope>;
    };

/** A tenant, as named inside (`num`) and outside (`id`). */
export interface TenantRef {
  readonly num: number;
  readonly id: string;
}
