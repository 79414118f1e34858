import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { requestCutter } from './http-requests.ts';
import { ReceivedDeliveries } from './received-deliveries.ts';
import type { SinkBehaviour, SinkCommand, SinkMessage, SinkSetup } from './sink-protocol.ts';

/**
 * The receiver of a run, in a process of its own. It speaks just enough HTTP over bare sockets, because it shares the cores with what is
 * measured; it answers as nginx in front of a small application does. It ends when its parent does.
 */

const PROGRESS_MS = 20;
const CERTIFICATE = new URL('../../../src/delivery/fixtures/localhost.pem', import.meta.url);

let received: ReceivedDeliveries;
let behaviour: SinkBehaviour = { status: 200, slow: null };
let openConnections = 0;
let connections = 0;
let resumedSessions = 0;
const held = new Map<NodeJS.Timeout, Socket>();

const answers = { 200: answer('200 OK'), 500: answer('500 Internal Server Error') };
// Dates of answers are those of the second, as servers make them.
setInterval(() => {
  answers[200] = answer('200 OK');
  answers[500] = answer('500 Internal Server Error');
}, 1_000);

function answer(status: string): Buffer {
  const body = '{"ok":true}';
  const headers = `Server: nginx\r\nDate: ${new Date().toUTCString()}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: keep-alive`;
  return Buffer.from(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
}

function onSocket(socket: Socket): void {
  openConnections++;
  connections++;
  socket.setNoDelay(true);
  const take = requestCutter((request) => {
    received.take(request, behaviour.status === 200);
    const { slow } = behaviour;
    if (slow === null || slow.endpoint !== request.endpoint) socket.write(answers[behaviour.status]);
    else hold(socket, slow.delayMs);
  });
  socket.on('data', take);
  // A sender that hangs up is no fault of the sink.
  socket.on('error', () => {});
  socket.on('close', () => openConnections--);
}

function hold(socket: Socket, delayMs: number): void {
  const timer = setTimeout(() => {
    held.delete(timer);
    socket.write(answers[behaviour.status]);
  }, delayMs);
  held.set(timer, socket);
}

function behave(next: SinkBehaviour): void {
  behaviour = next;
  for (const [timer, socket] of held) {
    clearTimeout(timer);
    socket.write(answers[behaviour.status]);
  }
  held.clear();
}

function newServer(isTls: boolean, pem: Buffer): Server {
  if (!isTls) return createServer(onSocket);
  return createTlsServer({ key: pem, cert: pem, ALPNProtocols: ['http/1.1'] }, (socket: TLSSocket) => {
    if (socket.isSessionReused()) resumedSessions++;
    onSocket(socket);
  });
}

async function setUp({ plan, ports, tls }: SinkSetup): Promise<void> {
  received = new ReceivedDeliveries(plan);
  const pem = readFileSync(CERTIFICATE);
  const open: number[] = [];
  for (let i = 0; i < ports; i++) {
    const server = newServer(tls, pem);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4_096, resolve));
    open.push((server.address() as AddressInfo).port);
  }
  say({ kind: 'ready', ports: open });
  let told = 0;
  setInterval(() => {
    const { delivered } = received;
    if (delivered !== told) say({ kind: 'progress', delivered });
    told = delivered;
  }, PROGRESS_MS);
}

function say(message: SinkMessage): void {
  process.send?.(message);
}

process.on('message', (command: SinkCommand) => {
  switch (command.kind) {
    case 'setup':
      return void setUp(command);
    case 'trust':
      return received.trust(command.secrets);
    case 'behave':
      return behave(command.behaviour);
    case 'tell':
      return say({ kind: 'counts', counts: { ...received.counts(), openConnections, connections, resumedSessions } });
    case 'times':
      return say({ kind: 'times', received: received.times() });
  }
});
// The harness stops its processes itself, in order: a signal of the terminal is not for this one.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
