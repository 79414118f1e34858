import { Refusal } from '../domain/errors.ts';

export interface ScanBounds {
  /** Scans under way at once, each of which takes a connection. */
  readonly most: number;
  /** The same of one tenant. */
  readonly mostOfTenant: number;
  /** Of one tenant that wait, beside those under way. */
  readonly mostWaiting: number;
}

interface Scanner {
  running: number;
  readonly waiting: (() => void)[];
}

/** Lets scans of lists, and what waits for a lock of its tenant, take turns, tenant by tenant, so that those of one never have all connections of the API (G4). */
export class ScanTurns {
  readonly #bounds: ScanBounds;
  /** Those that have any, the one whose turn is next first. */
  readonly #scanners = new Map<number, Scanner>();
  #running = 0;

  constructor(bounds: ScanBounds) {
    this.#bounds = bounds;
  }

  /**
   * Does `scan` when it is the tenant's turn.
   * @param isBegun whether it goes on with what had its turn before: then it is not turned away, and as many more wait than were under way at the most
   * @throws Refusal 429 where too many of the tenant wait already, and what `scan` throws
   */
  async take<T>(tenantNum: number, scan: () => Promise<T>, { isBegun = false } = {}): Promise<T> {
    const scanner = this.#scannerOf(tenantNum);
    if (this.#mayRun(scanner)) this.#begin(tenantNum, scanner);
    else {
      if (!isBegun && scanner.waiting.length >= this.#bounds.mostWaiting) throw tooMany();
      await new Promise<void>((resolve) => scanner.waiting.push(resolve));
    }
    try {
      return await scan();
    } finally {
      this.#end(tenantNum, scanner);
    }
  }

  #scannerOf(tenantNum: number): Scanner {
    const known = this.#scanners.get(tenantNum);
    if (known !== undefined) return known;
    const scanner = { running: 0, waiting: [] };
    this.#scanners.set(tenantNum, scanner);
    return scanner;
  }

  #mayRun({ running }: Scanner): boolean {
    return this.#running < this.#bounds.most && running < this.#bounds.mostOfTenant;
  }

  #begin(tenantNum: number, scanner: Scanner): void {
    this.#running++;
    scanner.running++;
    // The others' turn comes first.
    this.#scanners.delete(tenantNum);
    this.#scanners.set(tenantNum, scanner);
  }

  #end(tenantNum: number, scanner: Scanner): void {
    this.#running--;
    scanner.running--;
    if (scanner.running === 0 && scanner.waiting.length === 0) this.#scanners.delete(tenantNum);
    for (const [num, next] of this.#scanners) {
      if (next.waiting.length === 0 || !this.#mayRun(next)) continue;
      this.#begin(num, next);
      next.waiting.shift()!();
      return;
    }
  }
}

const tooMany = () =>
  new Refusal(
    429,
    'too_many_scans',
    'Too many searches of the tenant, or changes that go one after the other, are under way or wait. Ask again later.',
    {
      retryAfterSeconds: 1,
    },
  );
