import type { Outcome } from '../../domain/outcome.ts';
import { createDeadlineWheel } from '../deadline-wheel.ts';
import type { EgressPolicy } from '../egress-policy.ts';
import type { BrokerMessage } from '../prepare.ts';
import type { Resolver } from '../resolver.ts';
import type { Sender } from '../sender.ts';
import { type Line, LinePool, type PooledLine } from './line-pool.ts';
import { Shipment } from './shipment.ts';

/** What every sender to brokers needs. */
export interface BrokerSenderOptions {
  readonly policy: EgressPolicy;
  readonly resolver: Resolver;
  /** For DNS, TCP and TLS together, at each address. */
  readonly connectTimeoutMs?: number;
  /** Lines whose connections are kept; the least recently used idle ones are closed. */
  readonly maxLines?: number;
  readonly idleMs?: number;
  /** Grain of the deadlines. */
  readonly tickMs?: number;
}

/** Sends to brokers of one kind, by lines that `open` makes. Deadlines hold whatever a line does. */
export function createBrokerSender<Message extends BrokerMessage>(
  open: (destination: Message['destination']) => Line<Message>,
  { maxLines = 256, idleMs = 60_000, tickMs = 100 }: BrokerSenderOptions,
): Sender<Message> {
  const wheel = createDeadlineWheel<Shipment<Message>>(tickMs);
  const lines = new LinePool<Message>({ open, maxLines, idleMs });
  const sweeping = setInterval(() => lines.sweep(), 1_000).unref();
  let closed = false;

  function hostOf(entry: PooledLine<Message>) {
    return {
      ended(shipment: Shipment<Message>) {
        entry.busy--;
        wheel.remove(shipment);
      },
      // Somebody else makes this delivery from now on, and those that follow it in order: what was written here must not come after them.
      abandoned: () => entry.line.close(),
      late: (shipment: Shipment<Message>) => entry.line.late(shipment),
    };
  }

  function abortAll(): number {
    const underWay = wheel.entries();
    for (const shipment of underWay) shipment.abandon();
    return underWay.length;
  }

  return {
    send(message: Message, onOutcome: (outcome: Outcome) => void) {
      if (closed) throw new Error('the sender is closed');
      const entry = lines.get(message.tenantNum, message.destination);
      const shipment = new Shipment(hostOf(entry), message, onOutcome);
      entry.busy++;
      wheel.add(shipment, message.timeoutMs);
      entry.line.send(shipment);
      return shipment;
    },
    abortAll,
    async close() {
      closed = true;
      abortAll();
      wheel.stop();
      clearInterval(sweeping);
      lines.closeAll();
    },
    get inFlight() {
      return wheel.size;
    },
  };
}
