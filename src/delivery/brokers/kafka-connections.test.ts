import { createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { compileEgressPolicy } from '../egress-policy.ts';
import { fakeResolver, listen } from '../fixtures/delivery-rig.ts';
import { createHostGuard } from './host-guard.ts';
import { KafkaConnections } from './kafka-connections.ts';

test('a connection that is asked for while it logs in anew is not guarded a second time, perhaps amid an answer', async () => {
  const server = createServer((socket) => void socket.on('error', () => {}));
  const port = await listen(server);
  onTestFinished(() => void server.close());
  const policy = compileEgressPolicy({ allowedNetworks: ['127.0.0.0/8'] });
  const hosts = createHostGuard({ policy, resolver: fakeResolver({}) }, { type: 'kafka', tls: false });
  const connections = new KafkaConnections('test', {}, { hosts, tls: null, onData: () => {} });
  onTestFinished(() => connections.destroy());
  const broker = { host: '127.0.0.1', port };
  const connection = await connections.get(broker);
  const guarded = connection.socket.emit;
  const listeners = connection.listenerCount('error');
  vi.spyOn(connection, 'isConnected').mockReturnValue(false);
  expect(await connections.get(broker)).toBe(connection);
  expect(connection.socket.emit).toBe(guarded);
  expect(connection.listenerCount('error')).toBe(listeners);
});
