import type { VersionPin } from '../domain/event-type.ts';
import type { CastBook, CastRoute } from '../event-types/cast-book.ts';
import { CastCost } from '../event-types/cast-data.ts';
import { castEvent, type EventHead, eventMembers, headOf } from '../event-types/cast-event.ts';
import type { CastBody, CastLedger } from '../store/targets.ts';

/** What is known of a body: what decides of its casts, and those that were made, or why one cannot be. */
interface Known {
  readonly head: EventHead;
  readonly casts: Map<CastRoute, Uint8Array | Error>;
}

/** Bytes of what was made that are remembered, beside the bodies that are. */
const MAX_BYTES = 8 * 1024 * 1024;
/** What an entry takes beside the bytes of a cast. */
const OVERHEAD = 300;
/** To take so many bytes apart, and to write them, takes about as long as to look at a place. */
const BYTES_A_PLACE = 4;

/**
 * Casts an event once for all endpoints that want the same of it, and all their attempts, while its body is in memory: one that takes long
 * may go to hundreds. What cannot be cast is found out once, too.
 */
export class CastsMade {
  readonly #maxBytes: number;
  #known = new WeakMap<Uint8Array, Known>();
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The same bytes come out where nothing is to be cast. What was looked at is told, whether it came to anything or not. */
  castFor(tenantNum: number, pins: readonly VersionPin[], book: CastBook): CastBody {
    return (body, ledger) => this.#cast(body, { tenantNum, pins, book, ledger });
  }

  #cast(body: Uint8Array, asked: Asked): Uint8Array {
    const found = this.#known.get(body);
    const members = found === undefined ? readMembers(body, asked) : null;
    const known = found ?? this.#remember(body, { head: headOf(members!), casts: new Map() });
    const route = asked.book.routeTo(asked.pins, known.head.type, known.head.version);
    if (route === null) return body;
    let made = known.casts.get(route);
    if (made === undefined) {
      made = castNow(members ?? readMembers(body, asked), route, asked);
      known.casts.set(route, made);
      this.#count(body, known, made instanceof Error ? 0 : made.length);
    }
    if (made instanceof Error) throw made;
    return made;
  }

  #remember(body: Uint8Array, known: Known): Known {
    this.#known.set(body, known);
    this.#count(body, known, 0);
    return known;
  }

  /** Bodies go unseen, and what was made of them with them: so all is forgotten now and then but what is asked for now. */
  #count(body: Uint8Array, known: Known, bytes: number): void {
    this.#bytes += OVERHEAD + bytes;
    if (this.#bytes <= this.#maxBytes) return;
    this.#known = new WeakMap([[body, known]]);
    this.#bytes = OVERHEAD + bytes;
  }
}

interface Asked {
  readonly tenantNum: number;
  readonly pins: readonly VersionPin[];
  readonly book: CastBook;
  readonly ledger: CastLedger;
}

function readMembers(body: Uint8Array, { ledger, tenantNum }: Asked): ReturnType<typeof eventMembers> {
  ledger.paid(tenantNum, body.length / BYTES_A_PLACE);
  return eventMembers(body);
}

function castNow(
  members: ReturnType<typeof eventMembers>,
  route: CastRoute,
  { ledger, tenantNum }: Asked,
): Uint8Array | Error {
  const cost = new CastCost();
  try {
    return castEvent(members, route, cost);
  } catch (error) {
    return error as Error;
  } finally {
    ledger.paid(tenantNum, cost.places);
  }
}
