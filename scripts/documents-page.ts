import { readdirSync, readFileSync } from 'node:fs';

/** What each page of docs/ is about, in the order in which a reader may want it. */
const PAGES = {
  'endpoints.md': 'every field of an endpoint, secrets, validation',
  'filters.md': 'event patterns, operator by operator',
  'destinations.md': 'Kafka topics and RabbitMQ exchanges as endpoints',
  'event-types.md': 'schemas, versions, casts',
  'cloudevents.md': 'CloudEvents in and out',
  'system-events.md': 'what tenants are told of',
  'sources.md': 'Kafka and RabbitMQ as producers',
  'errors.md': 'every error of the API, and what to do',
  'console.md': 'the console',
  'configuration.md': 'every variable',
  'deployment.md': 'Kubernetes, systemd, nginx, Prometheus',
  'operations.md': 'running it: stopping, outages, upgrades, backups, keys, retention',
  'metrics.md': 'every metric',
  'log-events.md': 'every event of the log',
  'faults.md': 'every fault that is played, and what was measured',
  'architecture.md': 'the way of one event through the code',
  'performance.md': 'what a delivery costs, and the story of it',
  'scaling.md': 'what the cost depends on, and how far it goes',
} as const;

/** The index of docs/ and of its decisions. @throws Error that names a page which it lacks, or has too many */
export function documentsPage(docs: URL): string {
  const there = readdirSync(docs).filter((name) => name.endsWith('.md') && name !== 'README.md');
  const listed = Object.keys(PAGES);
  const odd = [...there.filter((name) => !listed.includes(name)), ...listed.filter((name) => !there.includes(name))];
  if (odd.length > 0)
    throw new Error(`docs/README.md: scripts/documents-page.ts and docs/ differ in ${odd.join(', ')}`);
  const pages = Object.entries(PAGES).map(([name, about]) => `- [${name}](${name}): ${about}`);
  const decisions = readdirSync(new URL('adr/', docs))
    .sort()
    .map((name) => `- [${titleOf(new URL(`adr/${name}`, docs))}](adr/${name})`);
  return [
    '# Documents',
    '',
    'Written by `npm run docs`. The [README](../README.md) has the quick start; [openapi.json](openapi.json) every call of the API.',
    '',
    ...pages,
    '',
    '## Decisions',
    '',
    'Numbers that are missing were never given.',
    '',
    ...decisions,
    '',
  ].join('\n');
}

/** `# 31. What …` without the number sign. */
function titleOf(file: URL): string {
  return /^# (.*)$/m.exec(readFileSync(file, 'utf8'))![1]!;
}
