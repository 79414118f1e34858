import { expect, test } from 'vitest';
import { configurationPage, environmentExample } from './configuration-page.ts';
import { variables } from './variables.ts';

test('every variable is on the page and in the example, once', () => {
  const onPage = [...configurationPage().matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
  const inExample = [...environmentExample().matchAll(/^#([A-Z_]+)=/gm)].map((match) => match[1]);
  expect(onPage).toEqual(Object.keys(variables));
  expect(inExample).toEqual(Object.keys(variables));
});

test('each row of the table has its three cells', () => {
  const rows = configurationPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(5);
});
