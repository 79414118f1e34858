import { LOG_EVENTS } from './log-events.ts';

/** The page of all kinds of lines, in Markdown. */
export function logEventsPage(): string {
  const rows = Object.entries(LOG_EVENTS).map(
    ([name, { level, meaning, fields }]) =>
      `| \`${name}\` | ${level} | ${meaning} | ${fields.map((field) => `\`${field}\``).join(', ')} |`,
  );
  return `# The log

One JSON object a line on standard output, each an event of those below. Every line has \`level\`, \`time\` (RFC 3339) and \`event\`; fields that have nothing
to say are left out. \`LOG_LEVEL\` is the lowest level that is written. What keeps a process from starting is told on standard error, as text.

\`tenant_id\`, \`endpoint_id\`, \`delivery_id\`, \`event_id\`, \`source_id\` and \`request_id\` are those that the API shows; \`source\` is a source's name. A lane
has a number, and no other name. Of an error there are its name (\`error\`), its \`code\` where it has one, its \`message\`, and the \`stack\` where it is one of our own.
No line has a secret, a header, a payload or the URL of an endpoint.

This page is made from \`src/observability/log-events.ts\` by \`scripts/generate-docs.ts\`.

| event | level | meaning | fields |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
