import { allowedValues } from './allowed-values.ts';
import { type Variable, variables } from './variables.ts';

const entries: readonly (readonly [string, Variable<unknown>])[] = Object.entries(variables);

/** The page of all variables, in Markdown. */
export function configurationPage(): string {
  const rows = entries.map(
    ([name, variable]) =>
      `| \`${name}\` | ${[variable.description, allowedValues(variable.schema), defaultText(variable)].map(cell).join(' | ')} |`,
  );
  return `# Configuration

Posthorn is configured by environment variables alone. An empty value counts as unset. With an empty \`DATABASE_URL\` beside \`REDIS_URL\` or \`MASTER_KEY\` a
start warns (\`database.url_empty\`) that it uses the embedded Postgres. Every variable can also be read from a file: \`NAME_FILE\` holds its path; a file that is
empty is an error. Numbers are written in digits; only those “a second” may have decimals. All errors are reported together, and the process exits with code 2.

This page is made from \`src/config/variables.ts\` by \`scripts/generate-docs.ts\`.

| variable | meaning | allowed | default |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

/** Every variable, commented out, with its default where that is a value. */
export function environmentExample(): string {
  const blocks = entries.map(
    ([name, variable]) =>
      `# ${`${variable.description}\n# Allowed: ${allowedValues(variable.schema)}.`.replaceAll('`', '')}\n#${name}=${exampleValue(variable)}\n`,
  );
  return `# All configuration of Posthorn, made from src/config/variables.ts. Each variable can also be read from a file: NAME_FILE=path.
# For docker compose, as .env beside compose.yaml: it wants POSTGRES_PASSWORD, OPERATOR_KEY and MASTER_KEY, and sets
# DATABASE_URL, REDIS_URL, HOST, PORT, ROLES and SHUTDOWN_SECONDS itself.

${blocks.join('\n')}`;
}

function defaultText(variable: Variable<unknown>): string {
  return variable.fallbackText ?? `\`${String(variable.fallback)}\``;
}

function exampleValue({ fallback }: Variable<unknown>): string {
  return fallback === undefined ? '' : String(fallback);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
