import { createHash } from 'node:crypto';
import type { OpenApiDocument, Operation } from './openapi.ts';
import type { ResponseObject } from './openapi-problem.ts';
import type { JsonSchema } from './openapi-schema.ts';

const style = `
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#fff}
h2{margin-top:3rem;text-transform:capitalize}
h3{margin:2rem 0 0;font-size:1rem}
code{font:.9em ui-monospace,monospace;background:#f0f2f5;padding:.1em .3em;border-radius:3px}
.method{display:inline-block;min-width:4rem;font-weight:700;text-transform:uppercase}
.access{color:#5b6675}
table{border-collapse:collapse;margin:.5rem 0;width:100%}
td{border-top:1px solid #dde1e7;padding:.3rem .6rem .3rem 0;vertical-align:top}
td:first-child{width:14rem}
nav>ul{columns:2;padding:0;list-style:none}
nav>ul>li{break-inside:avoid;text-transform:capitalize}
nav ul ul{padding-left:1rem;margin-bottom:1rem;list-style:none}
nav code{text-transform:none}
@media(prefers-color-scheme:dark){body{color:#dfe4ec;background:#14181f}code{background:#232a35}td{border-color:#313a47}.access{color:#98a3b3}}
`;

/** What the page may load: its own style and nothing else. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The calls of the API for people: one page that needs no script and no other file. */
export function docsPage(document: OpenApiDocument): string {
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(calls.map(({ operation }) => operation.tags[0] ?? ''))];
  const ofTag = (tag: string) => calls.filter(({ operation }) => operation.tags[0] === tag);
  const list = tags.map((tag) => `<li>${escapeHtml(tag)}<ul>${ofTag(tag).map(linkHtml).join('')}</ul></li>`);
  const sections = tags.map((tag) => {
    const ours = ofTag(tag);
    return `<h2>${escapeHtml(tag)}</h2>${ours.map((call) => callHtml(call.method, call.path, call.operation, document)).join('')}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Posthorn API</title><style>${style}</style></head><body><h1>Posthorn API ${escapeHtml(document.info.version)}</h1><p>${prose(document.info.description)}</p><p><a href="openapi.json">openapi.json</a></p><nav><ul>${list.join('')}</ul></nav>${sections.join('')}</body></html>`;
}

function linkHtml({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const name = `<code>${escapeHtml(`${method.toUpperCase()} ${path}`)}</code>`;
  return `<li><a href="#${escapeHtml(operation.operationId)}">${name}</a></li>`;
}

function callHtml(method: string, path: string, operation: Operation, document: OpenApiDocument): string {
  const body = operation.requestBody?.content['application/json']?.schema;
  const more = operation.description === undefined ? '' : `<p>${prose(operation.description)}</p>`;
  const parameters = operation.parameters.filter((parameter) => parameter.in !== 'path');
  return [
    `<h3 id="${escapeHtml(operation.operationId)}"><span class="method">${escapeHtml(method)}</span> <code>${escapeHtml(path)}</code></h3>`,
    `<div>${prose(operation.summary)} <span class="access">(${escapeHtml(accessText(operation['x-access']))})</span></div>${more}`,
    table(
      parameters.map(({ name, schema, description, required }) => [
        name,
        fieldText(schema, required),
        description ?? '',
      ]),
    ),
    body === undefined ? '' : fieldsTable(body, document),
    table(
      Object.entries(operation.responses).flatMap(([status, response]) =>
        '$ref' in response || status >= '400' ? [] : [[status, answerText(response), response.description] as const],
      ),
    ),
  ].join('');
}

function fieldsTable(body: JsonSchema, document: OpenApiDocument): string {
  const schema = resolve(body, document);
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
  return table(
    properties.map(([name, property]) => [
      name,
      fieldText(property, required.includes(name)),
      String(property.description ?? ''),
    ]),
  );
}

function resolve(schema: JsonSchema, document: OpenApiDocument): JsonSchema {
  const first = Array.isArray(schema.oneOf) ? (schema.oneOf[0] as JsonSchema) : schema;
  return typeof first.$ref === 'string' ? (document.components.schemas[nameOf(first.$ref)] ?? {}) : first;
}

function table(rows: readonly (readonly [string, string, string])[]): string {
  if (rows.length === 0) return '';
  const cells = rows.map(
    ([name, type, text]) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(type)}</td><td>${prose(text)}</td></tr>`,
  );
  return `<table>${cells.join('')}</table>`;
}

function fieldText(schema: JsonSchema, isRequired: boolean): string {
  return isRequired ? `${typeText(schema)}, required` : typeText(schema);
}

function accessText(access: string): string {
  if (access === 'operator') return 'operator keys only';
  if (access === 'any_key') return 'any key';
  return access === 'public' ? 'no key' : `scope ${access}`;
}

function answerText(response: ResponseObject): string {
  const schema = response.content?.['application/json']?.schema;
  return schema === undefined ? '' : typeText(schema);
}

function typeText(schema: JsonSchema): string {
  if (typeof schema.$ref === 'string') return nameOf(schema.$ref);
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return choices.map((choice) => typeText(choice as JsonSchema)).join(' | ');
  if (schema.type === 'array' && typeof schema.items === 'object')
    return `list of ${typeText(schema.items as JsonSchema)}`;
  return Array.isArray(schema.type) ? schema.type.join(' | ') : String(schema.type ?? 'any');
}

function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

/** Text with `code` in it. */
function prose(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
