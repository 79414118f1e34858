import { call } from './api.ts';
import { eventually } from './eventually.ts';
import { PATIENCE_MS } from './patience.ts';

/** What a Kafka source of a test is described as. */
export function kafkaSource(broker: string, topics: readonly string[], more: Readonly<Record<string, unknown>> = {}) {
  return {
    type: 'kafka',
    name: topics[0],
    tenant_id: 'acme',
    connection: { brokers: [broker] },
    consume: { topics, group: `posthorn-${topics[0]}` },
    mapping: { format: 'envelope' },
    ...more,
  };
}

/** Makes a source. @throws Error when it is refused */
export async function createSource(baseUrl: string, description: object): Promise<string> {
  const { status, body } = await call(baseUrl, 'POST', '/v1/sources', description);
  if (status !== 201) throw new Error(`The source was refused: ${status} ${JSON.stringify(body)}`);
  return body.id;
}

/** Waits until some process consumes it, or as many of its processes as are asked for do. */
export async function untilSource(
  baseUrl: string,
  id: string,
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever fields they ask for.
  isSo: (source: any) => boolean,
  timeoutMs = PATIENCE_MS,
) {
  const ask = async () => (await call(baseUrl, 'GET', `/v1/sources/${id}`)).body;
  return eventually(ask, isSo, timeoutMs);
}
