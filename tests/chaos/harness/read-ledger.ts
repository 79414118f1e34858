import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LedgerRecord } from './ledger-writer.ts';

/** The ledger's records in the order in which they were written, one at a time, however many there are. */
export async function* readLedger(path: string): AsyncGenerator<LedgerRecord> {
  const lines = createInterface({
    input: createReadStream(path, { encoding: 'utf8' }),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) yield recordOf(line.split('\t'));
}

function recordOf([kind, ...fields]: string[]): LedgerRecord {
  if (kind === 'a') {
    const [request, atMs, status] = fields.map(Number);
    return { kind: 'answer', request: request!, atMs: atMs!, status: status! };
  }
  const [request, atMs, endpoint, event, webhookId, deliveryId, attempt, isVerified, isOwn, bodyHash, lagMs] = fields;
  return {
    kind: 'request',
    request: Number(request),
    atMs: Number(atMs),
    endpoint: Number(endpoint),
    event: Number(event),
    webhookId: webhookId!,
    deliveryId: deliveryId!,
    attempt: Number(attempt),
    isVerified: isVerified === '1',
    isOwn: isOwn === '1',
    bodyHash: Number(bodyHash),
    lagMs: Number(lagMs),
  };
}
