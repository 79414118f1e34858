import { Metrics } from './metrics.ts';

/** The page of all metrics, in Markdown. */
export function metricsPage(): string {
  const rows = new Metrics().descriptions.map(
    ({ name, kind, labels, help }) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `# Metrics

Every process, whatever its role, answers \`GET /metrics\` on \`HOST:PORT\` in Prometheus's text format. It takes no key, like \`/healthz\`, and
nothing in it is of a tenant: no label has the id of a tenant, an endpoint or an event, and each label has few values. Keep it from the public
at the proxy that ends TLS.

Counters begin at 0 with the process. What begins with \`posthorn_installation_\` is read from Postgres, at most once in five seconds, and is the
same from every process; it is absent while Postgres does not answer. [deploy/prometheus/alerts.yaml](../deploy/prometheus/alerts.yaml) says what to alert on.

This page is made from \`src/observability\` by \`scripts/generate-docs.ts\`.

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
