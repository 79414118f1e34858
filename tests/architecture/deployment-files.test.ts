import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ROWS } from '../../scripts/grafana-dashboard.ts';
import { readConfig } from '../../src/config/config.ts';
import { variables } from '../../src/config/variables.ts';
import { deniedNetworks } from '../../src/delivery/networks.ts';
import { Metrics } from '../../src/observability/metrics.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);
const expressions: readonly { readonly of: string; readonly expr: string; readonly legend?: string }[] = [
  ...alerts.map(({ alert, expr }) => ({ of: alert, expr })),
  ...ROWS.flatMap(({ panels }) =>
    panels.flatMap(({ title, queries }) => queries.map(([expr, legend]) => ({ of: title, expr, legend }))),
  ),
];
/** `up` is Prometheus's own. */
const metrics = new Map(
  [...new Metrics().descriptions, { name: 'up', kind: 'gauge', labels: [] as readonly string[] }].map((metric) => [
    metric.name,
    metric,
  ]),
);
/** What Prometheus says of whatever it scrapes. */
const OF_PROMETHEUS = ['instance', 'job', 'le'];

/** The metrics that an expression names: without what a histogram's parts are called by. */
function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/posthorn_\w+|\bup\b/g)].map(([name]) => name.replace(/_bucket$/, ''));
}

/** The labels that an expression goes by, and those that its legend shows. */
function labelsIn(expr: string, legend = ''): string[] {
  const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, names]) =>
    names!.split(/,\s*/).filter(Boolean),
  );
  const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, name]) => name!);
  const shown = [...legend.matchAll(/\{\{(?:\$labels\.)?(\w+)\}\}/g)].map(([, name]) => name!);
  return [...grouped, ...selected, ...shown];
}

test.each(expressions)('$of goes by metrics and labels that there are: $expr', ({ expr, legend }) => {
  const names = metricsIn(expr);
  expect(names).not.toEqual([]);
  expect(names.filter((name) => !metrics.has(name))).toEqual([]);
  const known = [...OF_PROMETHEUS, ...names.flatMap((name) => metrics.get(name)!.labels)];
  expect(labelsIn(expr, legend).filter((label) => !known.includes(label))).toEqual([]);
});

test('a histogram is asked for by its buckets, and a counter by how it grows', () => {
  for (const { of, expr } of expressions)
    for (const [name] of expr.matchAll(/posthorn_\w+/g)) {
      const { kind } = metrics.get(name.replace(/_bucket$/, ''))!;
      expect([of, name.endsWith('_bucket')]).toEqual([of, kind === 'histogram']);
      if (kind === 'counter') expect(expr).toMatch(new RegExp(`(rate|increase)\\(${name}`));
    }
});

test.each(alerts)('$alert is tried, says how bad it is and what to do, and its page is there', (alert) => {
  const tests = parse(read('deploy/prometheus/alerts.test.yaml')) as { tests: { name: string }[] };
  expect(tests.tests.map(({ name }) => name)).toContain(alert.alert);
  expect(['critical', 'warning']).toContain(alert.labels.severity);
  expect(alert.annotations.description).toMatch(/\.$/);
  const [page, anchor] = alert.annotations.runbook.split('#');
  expect(existsSync(fileURLToPath(new URL(page!, ROOT)))).toBe(true);
  const anchors = [...read(page!).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!.toLowerCase().replaceAll(' ', '-'),
  );
  if (anchor !== undefined) expect(anchors).toContain(anchor);
  for (const [, label] of alert.annotations.summary.matchAll(/\$labels\.(\w+)/g))
    expect([...OF_PROMETHEUS, ...metricsIn(alert.expr).flatMap((name) => metrics.get(name)!.labels)]).toContain(label);
});

test('a code of refused requests that an alert goes by is there from the start: a burst that brings it to life would be no increase', async () => {
  const text = await new Metrics().text();
  const selected = alerts.flatMap(({ expr }) => [...expr.matchAll(/ingest_requests_refused_total\{code=~"([^"]*)"/g)]);
  const codes = selected.flatMap(([, pattern]) => pattern!.split('|'));
  expect(codes).not.toEqual([]);
  for (const code of codes) expect(text).toContain(`posthorn_ingest_requests_refused_total{code="${code}"} 0\n`);
});

/** The variables of a file of `NAME=value` lines. */
const environmentIn = (text: string) =>
  Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));

const KUBERNETES = 'deploy/kubernetes';
const [deployment] = parseAllDocuments(read(`${KUBERNETES}/process/process.yaml`)).map((each) => each.toJS()) as [
  Deployment,
];
const pod = deployment.spec.template.spec;
const container = pod.containers[0]!;
const settings = environmentIn(read(`${KUBERNETES}/posthorn.env`));
const SECRETS = {
  DATABASE_URL: 'postgresql://posthorn:secret@db.example.com:5432/posthorn',
  REDIS_URL: 'redis://redis.example.com:6379',
  OPERATOR_KEY: 'b'.repeat(48),
  MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
};

interface Probe {
  readonly httpGet: { readonly path: string };
}

interface Deployment {
  readonly spec: {
    readonly template: { readonly metadata: { readonly annotations: Record<string, string> }; readonly spec: Pod };
  };
}

interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly ports: readonly { readonly containerPort: number }[];
    readonly livenessProbe: Probe;
    readonly readinessProbe: Probe;
    readonly startupProbe: Probe;
  }[];
}

interface Overlay {
  readonly nameSuffix: string;
  readonly patches: readonly { readonly patch: string }[];
}

/** What one role has beside the others. */
function roleOf(folder: string) {
  const { nameSuffix, patches } = parse(read(`${KUBERNETES}/${folder}/kustomization.yaml`)) as Overlay;
  const [own] = parse(patches[0]!.patch).spec.template.spec.containers;
  return { nameSuffix, env: own.env as { name: string; value: string }[], lifecycle: own.lifecycle };
}

test.each(['api', 'worker', 'ingest'])('what a pod of the role %s is told makes a valid configuration', (folder) => {
  const { nameSuffix, env } = roleOf(folder);
  expect(nameSuffix).toBe(`-${folder}`);
  expect(Object.keys(settings).filter((name) => !(name in variables))).toEqual([]);
  const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const config = readConfig({ ...settings, ...SECRETS, ...own });
  expect(config.ROLES).toEqual([folder]);
  expect([config.PORT, config.HOST]).toEqual([container.ports[0]!.containerPort, '0.0.0.0']);
});

test('the network policy shuts off every link-local and metadata network that the egress guard opens only by name', () => {
  const { spec } = parse(read(`${KUBERNETES}/network-policy.yaml`)) as {
    spec: { egress: { to?: { ipBlock?: { except: string[] } }[] }[] };
  };
  const shut = spec.egress.flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => ipBlock?.except ?? []));
  const guarded = deniedNetworks.filter(({ namedOnly, reason }) => namedOnly && reason !== 'this host');
  expect(shut.sort()).toEqual(guarded.map(({ cidr }) => cidr).sort());
});

test('nothing that is secret stands in the files for Kubernetes, and what has to be in the Secret is said', () => {
  for (const name of Object.keys(SECRETS)) {
    expect(settings).not.toHaveProperty(name);
    expect(read(`${KUBERNETES}/posthorn.env`)).toContain(name);
    expect(read('docs/deployment.md')).toContain(`--from-literal=${name}=`);
  }
});

test('a pod is given longer to stop than the process takes, and asked for its health where it says it', () => {
  const { lifecycle } = roleOf('api');
  const before = Number(lifecycle.preStop.exec.command[1]);
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(before + Number(settings.SHUTDOWN_SECONDS) + 5);
  const { livenessProbe, readinessProbe, startupProbe } = container;
  expect([livenessProbe, startupProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
    '/healthz',
    '/healthz',
    '/readyz',
  ]);
  const { annotations } = deployment.spec.template.metadata;
  expect(annotations['prometheus.io/port']).toBe(`${container.ports[0]!.containerPort}`);
});

test('the systemd unit starts the service as npm start does, and gives it time to stop', () => {
  const unit = environmentIn(read('deploy/systemd/posthorn@.service'));
  const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
  expect(`exec sh scripts/ready.sh ${unit.ExecStart!.replace(/^\S+\/node /, 'node ')}`).toBe(scripts.start);
  expect(Number(unit.TimeoutStopSec)).toBeGreaterThan(variables.SHUTDOWN_SECONDS.fallback + 10);
  // Without it there are no addresses of the machine to be had, and no start on 0.0.0.0.
  expect(unit.RestrictAddressFamilies!.split(' ')).toContain('AF_NETLINK');
  expect([unit.StartLimitIntervalSec, unit.Restart, unit.RestartPreventExitStatus]).toEqual(['0', 'always', '2']);
});

test('nginx waits for an answer, and gives idle connections up before the API does', () => {
  const conf = read('deploy/nginx/posthorn.conf');
  const seconds = (name: string) => Number(new RegExp(`\\b${name} (\\d+)s;`).exec(conf)?.[1]);
  const server = read('src/api/http-server.ts');
  const ofServer = (name: string) =>
    Number(new RegExp(`${name} = ([\\d_]+);`).exec(server)?.[1]?.replace('_', '')) / 1_000;
  expect(seconds('keepalive_timeout')).toBeLessThan(ofServer('keepAliveTimeout'));
  expect(seconds('proxy_read_timeout')).toBeGreaterThan(ofServer('requestTimeout'));
  const mebibytes = Number(/client_max_body_size (\d+)m;/.exec(conf)?.[1]);
  expect(mebibytes * 1024 * 1024).toBeGreaterThan(readConfig({}).MAX_BATCH_BYTES);
});
