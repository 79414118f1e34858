import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Api, apiClient, storedOf } from './api-client.ts';
import { bareEnvironment } from './bare-environment.ts';
import { LoadReceiver } from './load-receiver.ts';
import type { SinkReport } from './load-sink.ts';
import { countFlag, readFlags, runCommand } from './run-command.ts';

/**
 * `npm run demo:load -- --events 20000 --endpoints 50`: a whole Posthorn in a folder of its own, a receiver and a load, each in its own
 * process. Posts events in batches of 100, each to one endpoint, and counts: accepted = delivered = rows, or exit code 1.
 */

/** What a shell says of a command that was interrupted. */
const INTERRUPTED = 130;
const BATCH = 100;
const POSTS_AT_ONCE = 8;
const TENANT = 'load';
const OPERATOR_KEY = 'pho_demo_load_operator_key_000';

interface Arguments {
  readonly events: number;
  readonly endpoints: number;
}

const USAGE = `npm run demo:load                load against a Posthorn of its own; exit code 0 when every event was delivered once
  --events 20000     1 to 10000000
  --endpoints 50     1 to 5000`;

function readArguments(args: readonly string[]): Arguments {
  const { values } = readFlags({
    args,
    options: { events: { type: 'string', default: '20000' }, endpoints: { type: 'string', default: '50' } },
  });
  return {
    events: countFlag('--events', values.events, 1, 10_000_000),
    endpoints: countFlag('--endpoints', values.endpoints, 1, 5_000),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const { events, endpoints } = readArguments(args);
  const interrupted = new Promise<number>((resolve) => {
    // A second one ends this process at once.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(INTERRUPTED));
    // Nobody reads any more, as with `| head`: unheard, it would end us and leave the service behind.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => resolve(INTERRUPTED));
  });
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-load-'));
  const sink = new LoadReceiver(new URL('./load-sink.ts', import.meta.url));
  const service = startService(dataDir);
  try {
    return await Promise.race([load(service.port, sink, events, endpoints), interrupted]);
  } finally {
    sink.stop();
    await service.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function load(
  servicePort: Promise<number>,
  sink: LoadReceiver,
  events: number,
  endpoints: number,
): Promise<number> {
  const [port, sinkPort] = await Promise.all([servicePort, sink.ready]);
  const client = apiClient(port, OPERATOR_KEY, POSTS_AT_ONCE);
  const api = client.call;
  let accepted = 0;
  let bar: ReturnType<typeof progress> | undefined;
  try {
    await api('POST', '/v1/tenants', { id: TENANT });
    sink.trust(await createEndpoints(api, endpoints, sinkPort));
    const startedAt = performance.now();
    bar = progress(events, () => ({ accepted, delivered: sink.report.delivered }), startedAt);
    await postAll(api, events, endpoints, (count) => {
      accepted += count;
    });
    const acceptedS = (performance.now() - startedAt) / 1000;
    await sink.reaches(events);
    const totalS = (performance.now() - startedAt) / 1000;
    bar.stop();
    const rows = await settledRows(api, events);
    return report({ events, accepted, rows, acceptedS, totalS, sink: sink.report });
  } finally {
    bar?.stop();
    client.close();
  }
}

interface Result {
  readonly events: number;
  readonly accepted: number;
  readonly rows: number;
  readonly acceptedS: number;
  readonly totalS: number;
  readonly sink: SinkReport;
}

function report({ events, accepted, rows, acceptedS, totalS, sink }: Result): number {
  const duplicates = sink.requests - sink.delivered;
  const isRight =
    accepted === events && sink.delivered === events && rows === events && duplicates === 0 && sink.unverified === 0;
  write(`accepted    ${accepted}   in ${acceptedS.toFixed(1)} s, ${Math.round(accepted / acceptedS)}/s\n`);
  write(`delivered   ${sink.delivered}   in ${totalS.toFixed(1)} s, ${Math.round(sink.delivered / totalS)}/s\n`);
  write(`rows        ${rows}\n`);
  write(`duplicates  ${duplicates}\n`);
  write(`${isRight ? 'All accepted events were delivered once.' : 'NOT as it should be.'}\n`);
  return isRight ? 0 : 1;
}

function startService(dataDir: string) {
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const env = {
    ...bareEnvironment(process.env),
    DATA_DIR: dataDir,
    PORT: '0',
    DEMO: 'false',
    ALLOWED_NETWORKS: '127.0.0.0/8',
    OPERATOR_KEY,
    LOG_LEVEL: 'info',
  };
  // As npm start does.
  const child = spawn(process.execPath, ['--max-semi-space-size=32', main], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { promise: port, resolve, reject } = Promise.withResolvers<number>();
  createInterface(child.stdout).on('line', (line) => {
    if (!line.includes('"service.started"')) return;
    resolve((JSON.parse(line) as { port: number }).port);
  });
  const exited = once(child, 'exit');
  void exited.then(([code]) => reject(new Error(`The service ended with exit code ${code}.`)));
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function createEndpoints(api: Api, count: number, port: number): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  for (let i = 0; i < count; i++) {
    const endpoint = await api('POST', `/v1/tenants/${TENANT}/endpoints`, {
      url: `http://127.0.0.1:${port}/e${i}`,
      subscriptions: [{ types: [`load.e${i}`] }],
    });
    const { secret } = await api('GET', `/v1/tenants/${TENANT}/endpoints/${endpoint.id}/secret`);
    secrets[`/e${i}`] = String(secret);
  }
  return secrets;
}

async function postAll(
  api: Api,
  events: number,
  endpoints: number,
  onAccepted: (count: number) => void,
): Promise<void> {
  let next = 0;
  const post = async () => {
    while (next < events) {
      const size = Math.min(BATCH, events - next);
      const batch = Array.from({ length: size }, (_, i) => makeEvent(next + i, endpoints));
      next += size;
      const answer = await api('POST', '/v1/events', batch);
      onAccepted(storedOf(answer));
    }
  };
  await Promise.all(Array.from({ length: POSTS_AT_ONCE }, post));
}

function makeEvent(index: number, endpoints: number) {
  return {
    id: `load-${index}`,
    type: `load.e${index % endpoints}`,
    tenant_id: TENANT,
    correlation_id: `corr_${index}`,
    data: {
      subscription: {
        id: `sub_${index}`,
        customer_id: `cus_${index}`,
        status: 'active',
        bundle_id: 'bundle_premium',
        price_id: 'price_monthly_99',
      },
    },
    metadata: { source: 'demo-load' },
  };
}

/** The receiver has a request some milliseconds before its row is written: the count is taken again until nothing is missing, or in vain. */
async function settledRows(api: Api, events: number): Promise<number> {
  let rows = 0;
  for (let tries = 0; tries < 10 && rows < events; tries++) {
    if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 500));
    rows = await deliveredRows(api, events);
  }
  return rows;
}

/** Deliveries that the API lists as delivered: the rows behind the numbers. */
async function deliveredRows(api: Api, events: number): Promise<number> {
  let rows = 0;
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page = await api('GET', `/v1/tenants/${TENANT}/deliveries?status=delivered&limit=250${next}`);
    rows += (page.data as unknown[]).length;
    cursor = page.next as string | null;
  } while (cursor !== null && rows <= events);
  return rows;
}

function progress(total: number, read: () => { accepted: number; delivered: number }, startedAt: number) {
  const draw = () => {
    const { accepted, delivered } = read();
    const width = 30;
    const filled = Math.round((width * Math.min(delivered, total)) / total);
    const rate = Math.round(delivered / ((performance.now() - startedAt) / 1000));
    const line = `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] accepted ${accepted}, delivered ${delivered} of ${total}, ${rate}/s`;
    write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
  };
  const timer = setInterval(draw, process.stdout.isTTY ? 100 : 1_000);
  let isOver = false;
  return {
    stop: () => {
      if (isOver) return;
      isOver = true;
      clearInterval(timer);
      draw();
      if (process.stdout.isTTY) write('\n');
    },
  };
}

function write(text: string): void {
  process.stdout.write(text);
}

process.exitCode = await runCommand(USAGE, process.argv.slice(2), main);
