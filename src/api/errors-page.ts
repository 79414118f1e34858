import { PROBLEM_CODES } from '../domain/problem-codes.ts';

/** The page of all codes of problem documents, in Markdown. */
export function errorsPage(): string {
  const rows = Object.entries(PROBLEM_CODES).map(
    ([code, { status, where, meaning, remedy }]) => `| ${status} | \`${code}\` | ${where} | ${meaning} | ${remedy} |`,
  );
  return `# Errors

Every error of the API is a problem document (RFC 9457, \`application/problem+json\`):

\`\`\`json
{"type":"urn:posthorn:problem:invalid","title":"Unprocessable Entity","status":422,"detail":"The body is not valid.","code":"invalid",
 "request_id":"req_…","errors":[{"path":"url","message":"expected url or destination"}]}
\`\`\`

Programs go by \`code\`, which is one of those below and always comes with the same status. \`detail\` and \`message\` are for people, and may be worded
anew. \`errors\` is there where fields are at fault: \`path\` is dotted (\`subscriptions.0.types\`), empty for the whole, in a batch it begins with the
place of the event, and \`code\` says why that is refused. \`request_id\`, also the header \`x-request-id\`, is what the operator's log has too.

Later versions may know more codes: what is unknown is to be treated by its status. To send again what was refused helps with 408, 429 and 503, which say after how many
seconds in \`Retry-After\` (408 does not), and with 409 \`conflict\`; whatever else is refused is refused again until something changes. An event that is sent again
with the same idempotency key is stored once.

This page is made from \`src/domain/problem-codes.ts\` by \`scripts/generate-docs.ts\`.

| status | code | where | what it means | what to do |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}
