import { hash, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import type { KnownKey } from '../store/find-api-keys.ts';

/** How long a key that was found good is trusted without asking again, from when that was asked. */
const TRUSTED_MS = 1_000;
/** How long it is waited for what is asked about such a key before it is trusted for longer: added to the above, where Postgres answers. */
const PATIENCE_MS = 250;
/** How long it is trusted at most where nothing is answered. */
const TRUSTED_UNANSWERED_MS = 10_000;
const REMEMBERED_KEYS = 10_000;

export interface AuthenticatorOptions {
  readonly operatorKey: string;
  /** @param wasKnown whether it was found good before: keys that somebody made up never were */
  readonly find: (key: string, wasKnown: boolean) => Promise<KnownKey | null>;
  /** Postgres's clock, by which keys expire: it may be set, forward or back. */
  readonly pgNowMs: () => number;
  /** A clock that nobody sets, by which it is counted how long a key is trusted. */
  readonly steadyMs?: () => number;
}

interface Remembered {
  readonly caller: Caller;
  /** By Postgres's clock; what follows is by the steady one. */
  readonly expiresAtMs: number;
  untilMs: number;
  /** Until when it is trusted while nothing is answered. */
  unansweredUntilMs: number;
  /** The look for it that is under way, shared by whoever calls meanwhile. */
  looking: Look | null;
}

interface Look {
  readonly caller: Promise<Caller>;
  /** Resolves when it has taken too long. */
  readonly isSlow: Promise<null>;
}

/** Tells who is calling from the `Authorization` header. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #steadyMs: () => number;
  readonly #operatorHash: Buffer;
  // By hash, so that the memory of the process does not hold keys in the clear for longer than a request.
  readonly #known = new Map<string, Remembered>();
  #revocations = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#steadyMs = options.steadyMs ?? (() => performance.now());
    this.#operatorHash = Buffer.from(sha256(options.operatorKey));
  }

  /** @throws Refusal 401, the same for every reason: what is wrong with a key is nobody's business. */
  async authenticate(header: string | undefined): Promise<Caller> {
    const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
    if (key === undefined) throw unauthorized('Send an API key as `Authorization: Bearer <key>`.');
    const keyHash = sha256(key);
    if (timingSafeEqual(Buffer.from(keyHash), this.#operatorHash)) return { kind: 'operator', actor: 'operator' };
    const known = this.#known.get(keyHash);
    if (known === undefined) return this.#look(key, keyHash, false);
    return this.#isTrusted(known, known.untilMs) ? known.caller : this.#lookAgain(key, keyHash, known);
  }

  /** Trusts no key without asking: called when a key of this process's tenants was revoked. That they were good is not forgotten, or they would be looked for among those that are made up. */
  forget(): void {
    this.#revocations++;
    for (const known of this.#known.values()) {
      known.untilMs = Number.NEGATIVE_INFINITY;
      known.unansweredUntilMs = Number.NEGATIVE_INFINITY;
      // It may have been answered before.
      known.looking = null;
    }
  }

  /** A key that was good a moment ago stays so for a while when nobody can say: what keeps Postgres busy must not shut out those who send events. */
  async #lookAgain(key: string, keyHash: string, known: Remembered): Promise<Caller> {
    known.looking ??= this.#beginLook(key, keyHash, known);
    const { caller, isSlow } = known.looking;
    if (!this.#isTrusted(known, known.unansweredUntilMs)) return caller;
    const inTime = await Promise.race([caller.catch(refuseOnly401), isSlow]);
    return inTime ?? known.caller;
  }

  #isTrusted({ expiresAtMs }: Remembered, untilMs: number): boolean {
    return untilMs > this.#steadyMs() && expiresAtMs > this.#options.pgNowMs();
  }

  #beginLook(key: string, keyHash: string, known: Remembered): Look {
    const { promise: isSlow, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    const caller = this.#look(key, keyHash, true).finally(() => {
      clearTimeout(timer);
      if (known.looking === look) known.looking = null;
    });
    // Whoever called may be answered by then.
    caller.catch(() => {});
    const look = { caller, isSlow };
    return look;
  }

  async #look(key: string, keyHash: string, wasKnown: boolean): Promise<Caller> {
    const before = this.#revocations;
    const askedMs = this.#steadyMs();
    const found = await this.#options.find(key, wasKnown);
    if (found === null) {
      this.#known.delete(keyHash);
      throw unauthorized('The API key is not valid.');
    }
    const { id, tenantNum, tenantId, scopes, expiresAtMs } = found;
    const caller: Caller = {
      kind: 'tenant',
      actor: id,
      tenant: { num: tenantNum, id: tenantId },
      scopes: new Set(scopes),
    };
    // It may have been read before it was revoked.
    if (this.#revocations !== before) return caller;
    // At the end: the one that was found good least lately falls out.
    this.#known.delete(keyHash);
    if (this.#known.size >= REMEMBERED_KEYS) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(keyHash, {
      caller,
      expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
      untilMs: askedMs + TRUSTED_MS,
      unansweredUntilMs: askedMs + TRUSTED_UNANSWERED_MS,
      looking: null,
    });
    return caller;
  }
}

/** That a key is not good is an answer; all else is none. */
function refuseOnly401(error: unknown): null {
  if (error instanceof Refusal && error.status === 401) throw error;
  return null;
}

function unauthorized(detail: string): Refusal {
  return new Refusal(401, 'unauthorized', detail);
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
