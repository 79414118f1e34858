import { askBrokerHost } from './ask-broker-host.ts';
import { type RabbitmqServer, rabbitmqCtl } from './rabbitmq-process.ts';

/** A RabbitMQ that other files use at the same time: exchanges and queues need names of their own, and it must go on running as it is. */
export interface SharedRabbitmq extends RabbitmqServer {
  readonly tlsPort: number;
  /** `127.0.0.2:port`: the TLS listener by an address that is not in its certificate. */
  readonly strange: string;
  /** A command of `rabbitmqctl` that only looks, and what it printed. Takes about a second. */
  look(...command: readonly string[]): Promise<string>;
}

/** @throws Error where `requireRabbitmq` would skip */
export async function sharedRabbitmq(): Promise<SharedRabbitmq> {
  const { server, strange } = await askBrokerHost('/rabbitmq');
  return { ...server, tlsPort: server.tlsPort!, strange, look: (...command) => rabbitmqCtl(server.env, command) };
}
