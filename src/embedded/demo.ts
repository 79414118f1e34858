import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DemoDelivery, DemoReceiver } from './demo-receiver.ts';

/** The example of the event schema that the product implements, word for word. */
export const EXAMPLE_EVENT = `{
  "id": "evt_1234567890",
  "type": "subscription.created",
  "version": "1.0",
  "timestamp": "2024-03-14T10:30:00Z",
  "tenant_id": "tenant_123",
  "correlation_id": "corr_abc123",
  "data": {
    "subscription": {
      "id": "sub_1234567890",
      "customer_id": "cus_1234567890",
      "status": "active",
      "bundle_id": "bundle_premium",
      "price_id": "price_monthly_99"
    }
  },
  "metadata": {
    "source": "subscription-service",
    "idempotency_key": "idem_xyz789"
  }
}`;

const DEMO_TENANT = 'tenant_123';
const WAIT_MS = 15_000;

interface SavedDemo {
  readonly port: number;
  readonly endpointId: string;
}

/** The demo of an embedded installation: its receiver, back on its port at each start, and the first run. */
export class Demo {
  readonly #file: string;
  readonly #receiver = new DemoReceiver();
  #saved: SavedDemo | null = null;
  #port = 0;

  constructor(dataDir: string) {
    this.#file = join(dataDir, 'demo.json');
  }

  /** Opens the receiver. @returns its address, the one loopback socket that deliveries may reach. */
  async open(): Promise<string> {
    this.#saved = await readFile(this.#file, 'utf8').then(
      (text) => JSON.parse(text) as SavedDemo,
      () => null,
    );
    this.#port = await this.#receiver.listen(this.#saved?.port ?? 0);
    return `127.0.0.1:${this.#port}`;
  }

  /** Lets the receiver verify again what an earlier start set up. */
  async resume(api: ApiClient): Promise<void> {
    if (this.#saved === null) return;
    const { endpointId, port } = this.#saved;
    const path = `/v1/tenants/${DEMO_TENANT}/endpoints/${endpointId}`;
    const secret = await api('GET', `${path}/secret`);
    if (typeof secret.secret !== 'string') return;
    this.#receiver.trust(secret.secret);
    if (port === this.#port) return;
    await api('PATCH', path, JSON.stringify({ url: this.#url() }));
    await this.#save(endpointId);
  }

  /** Tenant, endpoint, the example event, and the request that the receiver got. @throws Error when it does not arrive in time. */
  async run(api: ApiClient): Promise<DemoDelivery> {
    // It is waited for until the database answers.
    await api('GET', '/v1/tenants');
    await api('POST', '/v1/tenants', JSON.stringify({ id: DEMO_TENANT, name: 'Demo' }));
    const endpoint = await api(
      'POST',
      `/v1/tenants/${DEMO_TENANT}/endpoints`,
      JSON.stringify({ url: this.#url(), description: 'The demo receiver' }),
    );
    const secret = await api('GET', `/v1/tenants/${DEMO_TENANT}/endpoints/${endpoint.id}/secret`);
    this.#receiver.trust(String(secret.secret));
    await this.#save(String(endpoint.id));
    const { promise, resolve, reject } = Promise.withResolvers<DemoDelivery>();
    const timer = setTimeout(() => reject(new Error('The demo delivery did not arrive.')), WAIT_MS);
    this.#receiver.onDelivery = resolve;
    await api('POST', '/v1/events', EXAMPLE_EVENT);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Tells of every delivery from now on. */
  follow(tell: (delivery: DemoDelivery) => void): void {
    this.#receiver.onDelivery = tell;
  }

  close(): Promise<void> {
    return this.#receiver.close();
  }

  #url(): string {
    return `http://127.0.0.1:${this.#port}/webhooks`;
  }

  async #save(endpointId: string): Promise<void> {
    // Anew: what stands there may be a link that another account put there.
    await rm(this.#file, { force: true });
    const saved = JSON.stringify({ port: this.#port, endpointId } satisfies SavedDemo);
    await writeFile(this.#file, saved, { flag: 'wx' });
  }
}

/** Calls the API as an operator would. @throws Error with the problem's text when the answer is not 2xx. */
export type ApiClient = (method: string, path: string, body?: string) => Promise<Record<string, unknown>>;

/** A machine that is busy with its first start may keep Postgres waiting: 503, and then all is well. What was asked for may be done all the same. */
const BUSY = 503;
const MAX_TRIES = 5;
const WAIT_BETWEEN_MS = 1_000;

export function apiClient(baseUrl: string, operatorKey: string, waitMs = WAIT_BETWEEN_MS): ApiClient {
  return async (method, path, body) => {
    const headers = {
      authorization: `Bearer ${operatorKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const ask = () => fetch(`${baseUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const isRepeatable = method !== 'POST' || path === '/v1/events';
    let response = await ask();
    for (let tries = 1; response.status === BUSY && isRepeatable && tries < MAX_TRIES; tries++) {
      await response.body?.cancel();
      await sleep(waitMs);
      response = await ask();
    }
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${String(answer.detail)}`);
    return answer;
  };
}
