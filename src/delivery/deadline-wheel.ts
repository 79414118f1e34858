/** What waits for its deadline. The wheel owns the fields; an entry is in at most one wheel. */
export interface WheelEntry {
  deadlineAt: number;
  wheelSlot: number;
  wheelIndex: number;
  onDeadline(): void;
  /** Called at each tick. */
  onTick?(): void;
}

export interface DeadlineWheel<E extends WheelEntry> {
  /** Calls `entry.onDeadline()` once, no earlier than `delayMs` from now and about a tick later at most. */
  add(entry: E, delayMs: number): void;
  /** Forgets an entry; nothing happens when it is not waiting. */
  remove(entry: E): void;
  readonly size: number;
  /** The entries that wait, as a copy. */
  entries(): E[];
  stop(): void;
}

const SLOTS = 2048;

/**
 * One timer for all deadlines: a timer per request costs a tenth of the request. Slots are plain arrays; an entry knows its
 * place, so that leaving is a swap with the last and nothing that is done stays referenced. A deadline beyond one turn of the
 * wheel is put off at its slot until its time has come.
 */
export function createDeadlineWheel<E extends WheelEntry>(
  tickMs = 100,
  now: () => number = () => performance.now(),
): DeadlineWheel<E> {
  const slots: E[][] = Array.from({ length: SLOTS }, () => []);
  const startedAt = now();
  let turned = 0;
  let size = 0;

  function place(entry: E): void {
    const due = Math.max(turned + 1, Math.ceil((entry.deadlineAt - startedAt) / tickMs));
    const slot = Math.min(due, turned + SLOTS - 1) % SLOTS;
    entry.wheelSlot = slot;
    entry.wheelIndex = slots[slot]!.push(entry) - 1;
    size++;
  }

  function remove(entry: E): void {
    if (entry.wheelSlot === -1) return;
    const slot = slots[entry.wheelSlot]!;
    const last = slot.pop()!;
    if (last !== entry) {
      slot[entry.wheelIndex] = last;
      last.wheelIndex = entry.wheelIndex;
    }
    entry.wheelSlot = -1;
    size--;
  }

  function turn(): void {
    // After a blocked event loop several ticks are due at once, but never more than one turn's worth of slots.
    const reached = Math.floor((now() - startedAt) / tickMs);
    if (reached - turned > SLOTS) turned = reached - SLOTS;
    while (turned < reached) {
      turned++;
      for (const entry of [...slots[turned % SLOTS]!]) {
        // An earlier entry's onDeadline may have removed this one.
        if (entry.wheelSlot === -1) continue;
        remove(entry);
        if (entry.deadlineAt <= now()) entry.onDeadline();
        else place(entry);
      }
    }
  }

  /** From the last on: one that leaves has the last in its place. */
  function tick(): void {
    for (const slot of slots) for (let i = slot.length - 1; i >= 0; i--) slot[i]?.onTick?.();
    turn();
  }

  let turning: NodeJS.Immediate | undefined;
  // Timers come before sockets: where the process stood still, answers that came meanwhile are read first, before anything is called late.
  const timer = setInterval(() => {
    turning = setImmediate(tick);
  }, tickMs);
  timer.unref();
  return {
    add(entry, delayMs) {
      entry.deadlineAt = now() + delayMs;
      place(entry);
    },
    remove,
    get size() {
      return size;
    },
    entries: () => slots.flat(),
    stop() {
      clearInterval(timer);
      clearImmediate(turning);
    },
  };
}
