import { hash, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../domain/caller.ts';
import { Refusal } from '../domain/errors.ts';
import type { KnownKey } from '../store/find-api-keys.ts';

/** How long a key that was found good is trusted without asking Postgres again, in ms, from when it was asked last. */
const TRUSTED_MS = 1_000;
/** After that Postgres is asked again. If the answer takes longer than this, in ms, the key is trusted meanwhile. */
const PATIENCE_MS = 250;
/** How long a key is trusted at most while Postgres does not answer, in ms. */
const TRUSTED_UNANSWERED_MS = 10_000;
const REMEMBERED_KEYS = 10_000;

export interface AuthenticatorOptions {
  readonly operatorKey: string;
  /** Looks a key up. @param wasKnown whether it was found good before: a made-up key never was */
  readonly find: (key: string, wasKnown: boolean) => Promise<KnownKey | null>;
  /** Postgres's clock, by which keys expire: it may be set, forward or back. */
  readonly pgNowMs: () => number;
  /** A clock that never steps back, for how long a key is trusted. Absent: the process's. */
  readonly steadyMs?: () => number;
}

interface Remembered {
  readonly caller: Caller;
  /** When the key expires, by Postgres's clock. The other times are by the steady one. */
  readonly expiresAtMs: number;
  untilMs: number;
  /** Until when the key is trusted while Postgres does not answer. */
  unansweredUntilMs: number;
  /** The lookup of the key that is under way, shared by all who call meanwhile. */
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

  /** @throws Refusal 401, with one text for every reason: a stranger is not told what is wrong with a key */
  async authenticate(header: string | undefined): Promise<Caller> {
    const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
    if (key === undefined) throw unauthorized('Send an API key as `Authorization: Bearer <key>`.');
    const keyHash = sha256(key);
    if (timingSafeEqual(Buffer.from(keyHash), this.#operatorHash)) return { kind: 'operator', actor: 'operator' };
    const known = this.#known.get(keyHash);
    if (known === undefined) return this.#look(key, keyHash, false);
    return this.#isTrusted(known, known.untilMs) ? known.caller : this.#lookAgain(key, keyHash, known);
  }

  /**
   * Called when a key was revoked through this process: from now on no key is trusted without asking. It is not forgotten which keys were
   * good: else they would be looked up behind those that somebody may have made up.
   */
  forget(): void {
    this.#revocations++;
    for (const known of this.#known.values()) {
      known.untilMs = Number.NEGATIVE_INFINITY;
      known.unansweredUntilMs = Number.NEGATIVE_INFINITY;
      // Its answer may be from before the key was revoked.
      known.looking = null;
    }
  }

  /** A key that was good a moment ago is trusted for a while if Postgres does not answer: what keeps Postgres busy must not shut out those who send events. */
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
    // Nobody may be waiting for it any more when it fails.
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
    // A key was revoked while this one was read, maybe this one: the answer is not remembered.
    if (this.#revocations !== before) return caller;
    // Put at the end, so that the key that was found good longest ago falls out first.
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

/** Only 401 is an answer. Any other error leaves open whether the key is good. */
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
