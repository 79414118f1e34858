import type { OpenApiDocument, Operation } from '../src/api/openapi.ts';
import type { JsonSchema } from '../src/api/openapi-schema.ts';
import { PROBLEM_CODES } from '../src/domain/problem-codes.ts';
import { commentLines, propertyKey, schemaType } from './schema-type.ts';

const HEAD = `// Made from the OpenAPI document by scripts/generate-docs.ts (\`npm run docs\`).`;

/** The types of the TypeScript client: every schema by its name, every operation by its method and path, every code of an error. */
export function clientTypes({ paths, components }: OpenApiDocument): string {
  const schemas = Object.entries(components.schemas).map(([name, schema]) => schemaDeclaration(name, schema));
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationMember(method, path, operation)),
  );
  const codes = Object.keys(PROBLEM_CODES).map((code) => `  | '${code}'`);
  return [
    HEAD,
    ...schemas,
    `/** Every call of the API: what it takes, and what it answers. */\nexport interface Operations {\n${operations.join('\n')}\n}`,
    `/** What is wrong, for programs: docs/errors.md of Posthorn says what to do about each. */\nexport type ProblemCode =\n${codes.join('\n')};\n`,
  ].join('\n\n');
}

function schemaDeclaration(name: string, schema: JsonSchema): string {
  const { description, ...rest } = schema;
  return [...commentLines(description), `export type ${name} = ${schemaType(rest, '')};`].join('\n');
}

function operationMember(method: string, path: string, operation: Operation): string {
  const { summary, 'x-access': access } = operation;
  const lines = [
    ...commentLines(`${summary}. Access: ${access ?? 'public'}.`),
    `'${method.toUpperCase()} ${path}': {`,
    `  input: ${inputType(operation)};`,
    `  answer: ${answerType(operation)};`,
    '};',
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function inputType({ parameters = [], requestBody }: Operation): string {
  const members = [parametersMember('params', 'path', parameters), parametersMember('query', 'query', parameters)];
  if (requestBody !== undefined) {
    const { schema } = requestBody.content['application/json']!;
    members.push(`body${requestBody.required ? '' : '?'}: ${schemaType(schema, '      ', 'given')};`);
  }
  const present = members.filter((member) => member !== null);
  return present.length === 0 ? 'Record<never, never>' : block(present, '    ');
}

function parametersMember(name: string, place: string, parameters: Operation['parameters']): string | null {
  const wanted = parameters.filter((parameter) => parameter.in === place);
  if (wanted.length === 0) return null;
  const members = wanted.flatMap(({ name: key, required, schema }) => {
    const type = schemaType(schema, '        ');
    return [
      ...commentLines(schema.description),
      `${propertyKey(key)}${required ? `: ${type}` : `?: ${type} | undefined`};`,
    ];
  });
  return `${name}${wanted.some(({ required }) => required) ? '' : '?'}: ${block(members, '      ')};`;
}

function answerType({ responses }: Operation): string {
  const types = Object.entries(responses).flatMap(([status, response]) => {
    if (!status.startsWith('2') || '$ref' in response) return [];
    const [content] = Object.values(response.content ?? {});
    return [content === undefined ? 'undefined' : schemaType(content.schema, '    ')];
  });
  return [...new Set(types)].join(' | ');
}

function block(members: readonly string[], indent: string): string {
  return `{\n${members.map((member) => `${indent}  ${member}`).join('\n')}\n${indent}}`;
}
