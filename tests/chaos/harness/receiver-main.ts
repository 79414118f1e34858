import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Answerer } from './answerer.ts';
import { LedgerWriter } from './ledger-writer.ts';
import { seeded } from './random.ts';
import { ReceivedEvents } from './received-events.ts';
import type { ReceiverCommand, ReceiverReport } from './receiver-protocol.ts';

/**
 * The receiver: a process of its own, `node receiver-main.ts <ledger file> <seed>`, that answers as it is told and writes down every
 * request before anything else is done with it. It ends when its parent does.
 */
const [ledgerPath = '', seed = '0'] = process.argv.slice(2);
const ledger = new LedgerWriter(ledgerPath);
const events = new ReceivedEvents(ledger);
const answerer = new Answerer(seeded(Number(seed)), events);

const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answerer.answer(events.receive(request, Buffer.concat(chunks)), response));
});
// A sender that hangs up is what some scenarios are about.
server.on('clientError', (_error, socket) => socket.destroy());

process.on('message', (command: ReceiverCommand) => {
  switch (command.kind) {
    case 'trust':
      return events.trust(command.endpoint, command.tenant, command.secrets);
    case 'behave':
      return answerer.behave(command.endpoint, command.behaviour);
    case 'release':
      return answerer.release(command.endpoint);
    case 'tell':
      return report(command.question);
  }
});
// The harness stops its processes itself, in order: a signal of the terminal is not for this one.
process.on('SIGINT', () => {});
process.on('disconnect', () => {
  ledger.flush();
  process.exit(0);
});

server.listen(0, '127.0.0.1', () => report(0));

function report(question: number): void {
  ledger.flush();
  const { port } = server.address() as AddressInfo;
  process.send?.({ question, port, ...events.counts() } satisfies ReceiverReport);
}
