import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { certificatePath } from './certificates.ts';
import { freePort } from './free-port.ts';
import { type KafkaOptions, startKafkaProcess } from './kafka-process.ts';
import { type RabbitmqServer, startRabbitmqProcess } from './rabbitmq-process.ts';

/** What a test file needs to know of a broker that it shares. */
export interface SharedBrokers {
  /** Addresses, `127.0.0.1:port`: in clear text, and by the names of listeners. */
  readonly '/kafka': { readonly broker: string; readonly brokers: Readonly<Record<string, string>> };
  readonly '/rabbitmq': {
    readonly server: RabbitmqServer;
    /** The TLS listener by an address that is not in its certificate. */
    readonly strange: string;
  };
}

export interface BrokerHost {
  /** `http://127.0.0.1:port`: a GET of each path of SharedBrokers starts the broker if it does not run, and tells where it is. */
  readonly url: string;
  /** Ends every broker that was asked for. */
  stop(): Promise<void>;
}

export const KAFKA_PASSWORDS = { alice: 'alice-secret', bob: 'bob-secret' };

/** One Kafka and one RabbitMQ for the files of a run that do nothing to them that others would notice, each started when one asks. */
export async function startBrokerHost(): Promise<BrokerHost> {
  const started: Promise<{ close(): Promise<void> }>[] = [];
  const keep = <Server extends { close(): Promise<void> }>(starting: Promise<Server>) => {
    started.push(starting);
    return starting;
  };
  const places = new Map<string, Promise<object>>();
  const begin: { readonly [path in keyof SharedBrokers]: () => Promise<SharedBrokers[path]> } = {
    '/kafka': async () => {
      const { broker, brokers } = await keep(startKafkaProcess(kafkaOptions()));
      return { broker, brokers };
    },
    '/rabbitmq': async () => {
      const strange = `127.0.0.2:${await freePort()}`;
      const certificate = certificatePath('localhost');
      const tls = { ca: certificatePath('ca'), cert: certificate, key: certificate };
      const settings = [`listeners.ssl.strange = ${strange}`];
      return { server: (await keep(startRabbitmqProcess({ tls, settings }))).server, strange };
    },
  };
  const placeOf = async (path: string) => {
    if (!Object.hasOwn(begin, path)) throw new Error(`there is no broker at ${path}`);
    const known = places.get(path) ?? begin[path as keyof SharedBrokers]();
    places.set(path, known);
    return known;
  };
  const server = createServer((request, response) => {
    placeOf(request.url!).then(
      (place) => response.end(JSON.stringify(place)),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.allSettled(started.map((starting) => starting.then((broker) => broker.close())));
    },
  };
}

function kafkaOptions(): KafkaOptions {
  const certificate = certificatePath('localhost');
  const { alice, bob } = KAFKA_PASSWORDS;
  return {
    scramUsers: [`name=bob,password=${bob}`],
    listeners: [
      { name: 'SASL', plainUsers: { alice } },
      { name: 'LOGIN', certificate, plainUsers: { alice } },
      { name: 'MUTUAL', certificate, clientCa: certificatePath('ca') },
      { name: 'STRANGE', certificate: certificatePath('wrong-host') },
      // An address that no delivery may go to.
      { name: 'STRAY', advertisedHost: '10.255.0.1' },
    ],
  };
}
