import { type Fault, Refusal } from '../domain/errors.ts';
import type { ValidationMode, VersionState } from '../domain/event-type.ts';
import { checkAtRate } from './check-at-rate.ts';
import { CheckBudget } from './check-budget.ts';
import type { Validation, Validator } from './compile-schema.ts';
import { CompileTurns } from './compile-turns.ts';
import type { JsonSchema } from './json-schema.ts';
import { Memo } from './memo.ts';
import { compareVersions, parseVersion, type TypeVersion, versionText } from './type-version.ts';

export interface LoadedRules {
  /** Rises with each change; 0: the tenant has never had event types. */
  readonly version: bigint;
  /** The types that are validated. */
  readonly types: readonly {
    readonly num: number;
    readonly type: string;
    readonly validation: ValidationMode;
    readonly versions: readonly (TypeVersion & { readonly state: VersionState })[];
  }[];
}

export interface TypeRulesOptions {
  /** Null when the tenant is gone. */
  readonly load: (tenantNum: number) => Promise<LoadedRules | null>;
  /** The version that a tenant's event types have now. */
  readonly loadVersion: (tenantNum: number) => Promise<bigint>;
  /** The schema of a version as JSON text. It never changes. */
  readonly loadSchema: (tenantNum: number, typeNum: number, version: TypeVersion) => Promise<string | null>;
  readonly capacity?: RulesCapacity;
  readonly turns?: CompileTurns;
}

export interface RulesCapacity {
  readonly tenants: number;
  readonly validators: number;
  /** Bytes of what is compiled, as `heldBytes` counts them. */
  readonly heldBytes: number;
}

/** An event as far as its type is concerned. */
export interface TypedEvent {
  readonly tenantNum: number;
  readonly type: string;
  readonly version: string;
  readonly data: unknown;
}

export interface Verdict {
  /** The version of the tenant's rules that it was found by. */
  readonly rulesVersion: bigint;
  /** Whether faults refuse the event. */
  readonly mode: ValidationMode;
  readonly faults: readonly Fault[];
}

type Rule = LoadedRules['types'][number];

interface Entry {
  readonly version: bigint;
  readonly rules: ReadonlyMap<string, Rule>;
}

const NO_FAULTS: readonly Fault[] = [];
const NONE: Entry = { version: 0n, rules: new Map() };
/** The share of the validators that one tenant may have: one that has more makes room for all others. */
const TENANT_SHARE = 0.25;
const CAPACITY: RulesCapacity = { tenants: 10_000, validators: 2_000, heldBytes: 50_000_000 };

/**
 * Keeps in memory what events of each tenant are checked by. It may be stale: then the commit finds out, and `forget` has it read again.
 * Validators are compiled on first use, in the turns of `CompileTurns`. The least recently used are dropped first, those of tenants that
 * have many before others.
 */
export class TypeRules {
  readonly #options: TypeRulesOptions;
  readonly #tenants: Memo<number, Entry>;
  readonly #validators: Memo<string, Validator | null>;
  readonly #turns: CompileTurns;
  /** Reads of versions that are under way, and those that begin when they end. */
  readonly #reads = new Map<number, Promise<void>>();
  readonly #nextReads = new Map<number, Promise<bigint>>();

  constructor(options: TypeRulesOptions) {
    this.#options = options;
    this.#turns = options.turns ?? new CompileTurns();
    const { tenants, validators, heldBytes } = options.capacity ?? CAPACITY;
    this.#tenants = new Memo({ entries: tenants });
    const weight = { most: heldBytes, of: (validate: Validator | null) => validate?.held ?? 0 };
    const owners = { share: TENANT_SHARE, of: (key: string) => key.slice(0, key.indexOf('/')) };
    this.#validators = new Memo({ entries: validators, weight, owners });
  }

  /**
   * Checks an event by what is known of its type; a promise where something has to be loaded, or there is a rule to check it by.
   * @param budget what it shares with the other events of its request
   * @throws Refusal 429 when the tenant's schemas and the checks of its events have cost too much lately, and what loading throws
   */
  check(event: TypedEvent, budget = new CheckBudget()): Verdict | Promise<Verdict> {
    const known = this.#tenants.peek(event.tenantNum);
    if (known !== undefined) return this.#checkBy(known, event, budget);
    return this.#entryOf(event.tenantNum).then((entry) => this.#checkBy(entry, event, budget));
  }

  #checkBy({ version, rules }: Entry, event: TypedEvent, budget: CheckBudget): Verdict | Promise<Verdict> {
    const rule = rules.get(event.type);
    if (rule === undefined) return { rulesVersion: version, mode: 'off', faults: NO_FAULTS };
    return this.#faultsOf(event, rule, budget).then((faults) => ({
      rulesVersion: version,
      mode: rule.validation,
      faults,
    }));
  }

  /** Begins to read a tenant's event types if they are not known. If that fails, the check of an event fails by the same error. */
  begin(tenantNum: number): void {
    if (this.#tenants.peek(tenantNum) === undefined) this.#entryOf(tenantNum).catch(() => {});
  }

  forget(tenantNum: number): void {
    this.#tenants.delete(tenantNum);
  }

  /** Whether rules of this version still hold at some moment after the call; forgets them if not. */
  async isCurrent(tenantNum: number, version: bigint): Promise<boolean> {
    const isCurrent = (await this.#currentVersion(tenantNum)) === version;
    if (!isCurrent) this.forget(tenantNum);
    return isCurrent;
  }

  /** All who ask while a read is under way share the next one: a flood of bad events costs one read at a time. */
  async #currentVersion(tenantNum: number): Promise<bigint> {
    const waiting = this.#nextReads.get(tenantNum);
    if (waiting !== undefined) return waiting;
    const before = this.#reads.get(tenantNum);
    const read = (before ?? Promise.resolve()).then(() => {
      this.#nextReads.delete(tenantNum);
      const reading = this.#options.loadVersion(tenantNum);
      const settled = reading.then(
        () => {},
        () => {},
      );
      this.#reads.set(tenantNum, settled);
      // This comes before the next read begins, which waits for the same promise but was told to later.
      void settled.then(() => this.#reads.delete(tenantNum));
      return reading;
    });
    this.#nextReads.set(tenantNum, read);
    return read;
  }

  async #faultsOf(
    { tenantNum, version: text, data }: TypedEvent,
    rule: Rule,
    budget: CheckBudget,
  ): Promise<readonly Fault[]> {
    const wanted = parseVersion(text);
    const found = rule.versions.find((each) => wanted !== null && compareVersions(each, wanted) === 0);
    if (found === undefined)
      return [{ path: 'version', message: `no such version of ${rule.type}; ${choiceOf(rule)}` }];
    if (found.state === 'archived') {
      return [{ path: 'version', message: `${versionText(found)} of ${rule.type} is archived; ${choiceOf(rule)}` }];
    }
    const isRefusing = rule.validation === 'enforce';
    try {
      const validate = await this.#validatorOf(tenantNum, rule.num, found, budget);
      if (validate === null) return NO_FAULTS;
      return faultsIn(await checkAtRate({ tenantNum, data, validate, isRefusing }, budget, this.#turns));
    } catch (error) {
      // If misfits are only reported, no event is refused because of what its tenant has spent.
      if (isRefusing || !(error instanceof Refusal) || error.status !== 429) throw error;
      return faultsIn({ kind: 'too_costly' });
    }
  }

  #entryOf(tenantNum: number): Promise<Entry> {
    return this.#tenants.get(tenantNum, async () => {
      const loaded = await this.#options.load(tenantNum);
      if (loaded === null || (loaded.version === 0n && loaded.types.length === 0)) return NONE;
      return { version: loaded.version, rules: new Map(loaded.types.map((type) => [type.type, type])) };
    });
  }

  #validatorOf(
    tenantNum: number,
    typeNum: number,
    version: TypeVersion,
    budget: CheckBudget,
  ): Promise<Validator | null> {
    const key = `${tenantNum}/${typeNum}@${versionText(version)}`;
    return this.#validators.get(key, async () => {
      const own = budget.spent(tenantNum);
      // A schema that would not be compiled is not read either.
      this.#turns.rate.refuseSpent(tenantNum, own);
      const text = await this.#options.loadSchema(tenantNum, typeNum, version);
      if (text === null) return null;
      return this.#turns.compile(tenantNum, JSON.parse(text) as JsonSchema, 'data', own);
    });
  }
}

function faultsIn(validation: Validation): readonly Fault[] {
  switch (validation.kind) {
    case 'valid':
      return NO_FAULTS;
    case 'invalid':
      return validation.faults;
    case 'too_large':
      return [{ path: 'data', message: 'has too many values to be checked against the schema of its type' }];
    default:
      return [{ path: 'data', message: 'takes too long to be checked against the schema of its type' }];
  }
}

function choiceOf({ versions }: Rule): string {
  const taken = versions.filter(({ state }) => state !== 'archived').map(versionText);
  return taken.length === 0 ? 'none is taken' : `taken: ${taken.join(', ')}`;
}
