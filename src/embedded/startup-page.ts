import type { Config } from '../config/config.ts';
import { type ApiClient, apiClient, type Demo } from './demo.ts';
import type { DemoDelivery } from './demo-receiver.ts';

export interface StartupPageOptions {
  readonly config: Config;
  readonly port: number;
  readonly operatorKey: string;
  /** Null when it is switched off. */
  readonly demo: Demo | null;
  readonly tenants: Tenants;
  /** Once it is aborted nothing more is shown. */
  readonly signal: AbortSignal;
}

interface Tenants {
  /** Of all that ever were. */
  count(): Promise<number>;
  /** The id of the oldest that is there still. */
  oldest(): Promise<string | null>;
}

/** What a person sees who has just typed `npm start`: where it is, how to talk to it, and on an empty database the demo. */
export async function startupPage(options: StartupPageOptions): Promise<void> {
  const { config, port, operatorKey, demo, tenants, signal } = options;
  const host = config.HOST === '0.0.0.0' || config.HOST === '::' ? '127.0.0.1' : config.HOST;
  const baseUrl = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  // The installation runs: what the demo comes to on a machine that is busy is no reason to end it.
  const shown = await demoText(options, apiClient(baseUrl, operatorKey)).catch(reasonWhy);
  const example = await exampleTenant(tenants);
  if (signal.aborted) return;
  if (shown !== null) write(shown);
  write(summary(baseUrl, operatorKey, config, example));
  demo?.follow(({ headers, verdict }) => write(`  demo receiver: ${headers['webhook-id']} (${verdict})`));
}

async function demoText({ config, demo, tenants }: StartupPageOptions, api: ApiClient): Promise<string | null> {
  const isLeftOut = config.DEMO && config.HTTPS_ONLY;
  if (demo === null && !isLeftOut) return null;
  const isEmpty = (await tenants.count()) === 0;
  if (demo === null) return isEmpty ? '\n  There is no demo: HTTPS_ONLY is set, and its receiver speaks http.' : null;
  if (isEmpty) return demoPage(await demo.run(api));
  await demo.resume(api).catch(() => {});
  return null;
}

function reasonWhy(error: unknown): string {
  return `\n  The demo could not be shown: ${(error as Error).message}`;
}

function demoPage({ headers, body, verdict }: DemoDelivery): string {
  const shown = Object.entries(headers).map(([name, value]) => `    ${name}: ${String(value)}`);
  return [
    '',
    '  The demo: one event, posted, signed, delivered, verified.',
    '',
    '    POST /webhooks',
    ...shown,
    '',
    `    ${body}`,
    '',
    `  The receiver checked the signature: ${verdict}.`,
  ].join('\n');
}

interface ExampleTenant {
  readonly id: string;
  /** Whether it has to be made first. */
  readonly isNew: boolean;
}

/** One that an event can be sent for. */
async function exampleTenant(tenants: Tenants): Promise<ExampleTenant> {
  const oldest = await tenants.oldest().catch(() => null);
  if (oldest !== null) return { id: oldest, isNew: false };
  // The id of a tenant that was deleted is not given again.
  const known = await tenants.count().catch(() => 0);
  return { id: `my_tenant_${known + 1}`, isNew: true };
}

function summary(baseUrl: string, operatorKey: string, config: Config, tenant: ExampleTenant): string {
  const curl = (path: string, body: string) =>
    `  curl -s ${baseUrl}${path} -H 'authorization: Bearer ${operatorKey}' -H 'content-type: application/json' -d '${body}'`;
  const event = `{"type":"payment.captured","tenant_id":"${tenant.id}","data":{"amount":"12.50"}}`;
  return [
    '',
    `  Posthorn listens on ${baseUrl}`,
    `  Console:            ${baseUrl}/console/`,
    `  API documentation:  ${baseUrl}/docs`,
    `  Operator key:       ${operatorKey}`,
    `  Data:               ${config.DATA_DIR}`,
    '',
    ...(tenant.isNew ? ['  Make a tenant:', '', curl('/v1/tenants', `{"id":"${tenant.id}"}`), ''] : []),
    '  Send an event:',
    '',
    curl('/v1/events', event),
    '',
    ...(config.ALLOWED_NETWORKS.length === 0
      ? ['  To deliver to a receiver on this machine: ALLOWED_NETWORKS=127.0.0.0/8 npm start', '']
      : []),
    '  Ctrl-C stops it.',
    '',
  ].join('\n');
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}
