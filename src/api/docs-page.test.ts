import { expect, test } from 'vitest';
import { z } from 'zod';
import { docsPage } from './docs-page.ts';
import { openApiDocument } from './openapi.ts';
import { defineRoute } from './route.ts';

test('what a route says of itself is text on the page, never markup', () => {
  const route = defineRoute({
    method: 'post',
    path: '/v1/things/:thing_id',
    access: 'events:read',
    summary: '<script>alert("1")</script> & `code`',
    params: z.strictObject({ thing_id: z.string() }),
    query: z.strictObject({}),
    body: z.strictObject({ '<b>': z.string().describe('<i>'), more: z.int().optional() }),
    responses: { 200: { description: '<u>', schema: null } },
    handle: async () => ({ status: 200 }),
  });
  const html = docsPage(openApiDocument([route], '1.0.0'));
  expect(html).not.toMatch(/<script|<b>|<i>|<u>/);
  expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; <code>code</code>');
  expect(html).toContain('<td><code>&lt;b&gt;</code></td><td>string, required</td>');
  expect(html).toContain('<td><code>more</code></td><td>integer</td>');
  expect(html).toContain('<code>/v1/things/{thing_id}</code>');
  const [, id] = /<nav>.*href="#([^"]+)"><code>POST \/v1\/things\/\{thing_id\}<\/code>.*<\/nav>/.exec(html)!;
  expect(html).toContain(`<h3 id="${id}">`);
});

test('the page leads to the document beside it, also where a proxy serves both below a path', () => {
  const [, href] = /href="([^"#]+)"/.exec(docsPage(openApiDocument([], '1.0.0')))!;
  expect(new URL(href!, 'https://example.com/below/docs').pathname).toBe('/below/openapi.json');
});
