import { Connection } from 'rabbitmq-client';

export type Channel = Awaited<ReturnType<Connection['acquire']>>;

/** Uses a channel of a connection of its own. */
export async function withRabbitmqChannel<T>(url: string, use: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = new Connection(url);
  connection.on('error', () => {});
  return use(await connection.acquire()).finally(() => connection.unsafeDestroy());
}
