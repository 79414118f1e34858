import { hash, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../domain/errors.ts';
import type { Caller } from '../domain/scope.ts';
import type { KnownKey } from '../store/api-keys.ts';

/** How long a key that was found good is trusted without asking again: a revoked key dies within this time on every process. */
const TRUSTED_MS = 1_000;
const REMEMBERED_KEYS = 10_000;

export interface AuthenticatorOptions {
  readonly operatorKey: string;
  readonly find: (key: string) => Promise<KnownKey | null>;
  readonly nowMs: () => number;
}

/** Tells who is calling from the `Authorization` header. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #operatorHash: Buffer;
  // By hash, so that the memory of the process does not hold keys in the clear for longer than a request.
  readonly #known = new Map<string, { caller: Caller; untilMs: number }>();
  #revocations = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#operatorHash = Buffer.from(sha256(options.operatorKey));
  }

  /** @throws Refusal 401, the same for every reason: what is wrong with a key is nobody's business. */
  async authenticate(header: string | undefined): Promise<Caller> {
    const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
    if (key === undefined) throw unauthorized('Send an API key as `Authorization: Bearer <key>`.');
    const keyHash = sha256(key);
    if (timingSafeEqual(Buffer.from(keyHash), this.#operatorHash)) return { kind: 'operator', actor: 'operator' };
    return this.#recall(keyHash) ?? (await this.#look(key, keyHash));
  }

  /** Forgets what is remembered: called when a key of this process's tenants was revoked. */
  forget(): void {
    this.#revocations++;
    this.#known.clear();
  }

  #recall(keyHash: string): Caller | undefined {
    const known = this.#known.get(keyHash);
    return known !== undefined && known.untilMs > this.#options.nowMs() ? known.caller : undefined;
  }

  async #look(key: string, keyHash: string): Promise<Caller> {
    const before = this.#revocations;
    const found = await this.#options.find(key);
    if (found === null) throw unauthorized('The API key is not valid.');
    const { id, tenantNum, tenantId, scopes, expiresAtMs } = found;
    const caller: Caller = {
      kind: 'tenant',
      actor: id,
      tenant: { num: tenantNum, id: tenantId },
      scopes: new Set(scopes),
    };
    // It may have been read before it was revoked.
    if (this.#revocations !== before) return caller;
    const untilMs = Math.min(this.#options.nowMs() + TRUSTED_MS, expiresAtMs ?? Number.POSITIVE_INFINITY);
    if (this.#known.size >= REMEMBERED_KEYS) this.#known.clear();
    this.#known.set(keyHash, { caller, untilMs });
    return caller;
  }
}

function unauthorized(detail: string): Refusal {
  return new Refusal(401, 'unauthorized', detail);
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
