import type { SkipReason } from '../domain/outcome.ts';
import type { DeliveryClass, DueDelivery, EventBody } from '../store/mailbox.ts';
import type { AttemptCloser } from './attempt-closer.ts';
import type { Crowding } from './crowding.ts';
import type { Desk } from './desk.ts';
import type { DeskList } from './desk-list.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import { classOf, type Letter } from './letter-queue.ts';
import type { MemoryShares } from './memory-shares.ts';
import type { PendingTableWrites } from './pending-table-writes.ts';
import type { RowsInMemory } from './rows-in-memory.ts';
import type { Places } from './send-scheduler.ts';

export interface AdmissionOptions {
  /** Postgres's clock. */
  readonly nowMs: () => number;
  readonly list: DeskList;
  readonly inMemory: RowsInMemory;
  readonly memory: MemoryShares;
  readonly crowding: Pick<Crowding, 'places'>;
  readonly tableWrites: PendingTableWrites;
  readonly dispatcher: Pick<Dispatcher, 'offer' | 'run'>;
  readonly closer: Pick<AttemptCloser, 'close'>;
}

/** Decides over each row that was read: it waits at its desk, is returned to the table, or is skipped. */
export class Admission {
  readonly #options: AdmissionOptions;
  #busyDesks = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Returns rows to the table that have no place here, however large their bodies are: nobody need read those. @returns the others */
  turnAway(rows: readonly DueDelivery[]): readonly DueDelivery[] {
    const { list, inMemory, memory, crowding, nowMs } = this.#options;
    const full = new Set(
      [...new Set(rows.map((row) => row.tenantNum))].filter((num) => !memory.tenantMayHaveMore(num)),
    );
    const places = crowding.places();
    if (full.size === 0 && places === null) return rows;
    const mayCome = places === null ? () => true : doorman(places, memory.hasBytes, nowMs());
    return rows.filter((row) => {
      if (inMemory.has(row)) return !full.has(row.tenantNum);
      const desk = list.of(row.endpointNum, row.lane);
      const hasPlace = !full.has(row.tenantNum) && mayCome(desk, row);
      if (!hasPlace) this.#returnToTable(desk, row);
      return hasPlace;
    });
  }

  /**
   * Takes rows in, with their bodies; rows of lanes that are not given any more, or whose event is gone, are left alone.
   * @param seenAt from when on nothing is known of them, in ms of `performance.now()`: when they were read, or just before their commit was
   * sent
   */
  admit(
    rows: readonly DueDelivery[],
    bodies: Pick<ReadonlyMap<string, EventBody>, 'get'>,
    laneOf: (row: DueDelivery) => Lane | undefined,
    seenAt = performance.now(),
  ): void {
    const admittedAt = performance.now();
    this.#busyDesks = this.#options.inMemory.endpoints;
    for (const due of rows) {
      const lane = laneOf(due);
      const body = bodies.get(due.eventUuid);
      if (lane !== undefined && body !== undefined)
        this.#admitOne({ due, body, admittedAt, checkedAt: seenAt, deliveryId: null }, lane);
    }
    this.#options.dispatcher.run();
  }

  #admitOne(letter: Letter, lane: Lane): void {
    const { due, body } = letter;
    const { list, inMemory, memory, nowMs } = this.#options;
    if (inMemory.has(due)) return;
    const desk = list.of(due.endpointNum, due.lane);
    const skip: SkipReason | null = body.expunged ? 'payload_expunged' : desk.isDeleted ? 'endpoint_deleted' : null;
    if (skip !== null) {
      desk.taken++;
      inMemory.add(due, lane, body.body.length);
      this.#skip(letter, skip, desk);
      return;
    }
    const mayWait = memory.tenantMayHaveMore(due.tenantNum) && !this.#isFull(desk, classOf(due));
    if (mayWait && desk.isOpen(nowMs())) this.#queue(letter, lane, desk);
    else this.#returnToTable(desk, due);
  }

  #queue(letter: Letter, lane: Lane, desk: Desk): void {
    const { due } = letter;
    const { inMemory, tableWrites, dispatcher } = this.#options;
    const standing = due.order === null ? 'go' : desk.lines.admit(letter, due.order);
    if (standing === 'behind') {
      this.#passOver(desk, due);
      tableWrites.setBehind([due]);
      return;
    }
    desk.taken++;
    inMemory.add(due, lane, letter.body.body.length);
    if (standing === 'wait') return;
    desk.waiting.push(letter);
    dispatcher.offer(desk);
  }

  #returnToTable(desk: Desk, due: DueDelivery): void {
    const { tableWrites } = this.#options;
    this.#passOver(desk, due);
    if (due.order !== null && (due.order.behindSeq !== null || due.order.isPaused)) {
      tableWrites.setBehind([due]);
      return;
    }
    desk.markParked(classOf(due));
    tableWrites.park([due]);
  }

  /** Also returns letters of the same key that would overtake the row. */
  #passOver(desk: Desk, { order }: DueDelivery): void {
    const { inMemory, tableWrites } = this.#options;
    if (order === null) return;
    const letters = desk.lines.passedOver(order);
    for (const { due } of letters) inMemory.letGo(due);
    tableWrites.setBehind(letters.map(({ due }) => due));
  }

  #skip(letter: Letter, reason: SkipReason, desk: Desk): void {
    const { nowMs, closer } = this.#options;
    closer.close(
      letter,
      { startedAtMs: nowMs(), outcome: { kind: 'skipped', reason }, isOurs: false, isOutdated: false, news: [] },
      desk,
    );
  }

  #isFull(desk: Desk, kind: DeliveryClass): boolean {
    const share = this.#options.memory.rowsPerEndpoint(desk.maxUsefulInFlight, this.#busyDesks);
    return desk.waiting.lengthOf(kind) + desk.lines.waiting >= (kind === 'first' ? share : share / 2);
  }
}

/**
 * Tells of row after row whether it could be sent at once. If the settings of its endpoint are not read yet, only the slots are looked at.
 * A row of a deleted endpoint needs no slot, only bytes.
 */
function doorman(places: Places, hasBytes: boolean, nowMs: number): (desk: Desk, row: DueDelivery) => boolean {
  const letIn = new Map<Desk, number>();
  return (desk, row) => {
    if (desk.isDeleted) return hasBytes;
    const before = letIn.get(desk) ?? 0;
    const takesMore = desk.freeSendSlots(nowMs) > before;
    const isBehind = row.order !== null && (row.order.behindSeq !== null || row.order.isPaused);
    if (isBehind || !(desk.isUnknown || takesMore) || !places.take(row.tenantNum, classOf(row))) return false;
    letIn.set(desk, before + 1);
    return true;
  };
}
