import { expect, test } from 'vitest';
import { configurationPage, environmentExample } from './configuration-page.ts';
import { variables } from './variables.ts';

test('every variable is on the page and in the example, once', () => {
  const onPage = [...configurationPage().matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
  const inExample = [...environmentExample().matchAll(/^#([A-Z_]+)=/gm)].map((match) => match[1]);
  expect(onPage).toEqual(Object.keys(variables));
  expect(inExample).toEqual(Object.keys(variables));
});

test('each row of the table has its four cells', () => {
  const rows = configurationPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
});

/** What the page says that a variable may be, without the marks of Markdown. */
const allowedOnPage = Object.fromEntries(
  [...configurationPage().matchAll(/^\| `([A-Z_]+)` \| .* \| (.*) \| .* \|$/gm)].map(([, name, allowed]) => [
    name!,
    allowed!.replaceAll('`', ''),
  ]),
);
const takes = (name: string, value: unknown) =>
  variables[name as keyof typeof variables].schema.safeParse(String(value)).success;

test('every range on the page is the one by which values are taken or refused', () => {
  const ranges = Object.entries(allowedOnPage).flatMap(([name, allowed]) => {
    const [, least, most, of = ''] = /^([\d.]+) to (\d+)(.*)$/.exec(allowed) ?? [];
    if (/characters|letters/.test(of)) return [];
    return least === undefined ? [] : [{ name, least: Number(least), most: Number(most) }];
  });
  expect(ranges.length).toBeGreaterThan(20);
  for (const { name, least, most } of ranges) {
    const step = Number.isInteger(least) ? 1 : least / 2;
    const taken = [least - step, least, most, most + 1].map((value) => takes(name, value));
    expect({ name, taken }).toEqual({ name, taken: [false, true, true, false] });
  }
});

test('every word that the page lists is taken, alone and where several may be', () => {
  for (const name of ['ROLES', 'DESTINATION_TYPES', 'HTTPS_ONLY', 'LOG_LEVEL', 'DEMO']) {
    const words = allowedOnPage[name]!.replace(/^one or more of |, separated by commas$/g, '').split(/, | or /);
    expect(words.length).toBeGreaterThan(2);
    for (const word of words) expect([name, word, takes(name, word)]).toEqual([name, word, true]);
    expect(takes(name, words.join(','))).toBe(allowedOnPage[name]!.startsWith('one or more'));
  }
});

test('the unit of a number is the one in its name', () => {
  const units = { BYTES: 'bytes', SECONDS: 'seconds', MS: 'milliseconds', HOURS: 'hours', DAYS: 'days' };
  for (const [ending, unit] of Object.entries(units))
    for (const name of Object.keys(variables).filter((each) => each.endsWith(`_${ending}`)))
      expect(allowedOnPage[name], name).toMatch(new RegExp(`^\\d+ to \\d+ ${unit}$`));
});

test('what is no range and no list is told in the words of its error', () => {
  for (const name of [
    'DATABASE_URL',
    'REDIS_URL',
    'REDIS_PREFIX',
    'MASTER_KEY',
    'ALLOWED_NETWORKS',
    'WEBHOOK_ORIGIN',
  ]) {
    const { error } = variables[name as keyof typeof variables].schema.safeParse('ü ');
    const form = /^expected ([^;]*)/.exec(error!.issues[0]!.message)![1]!;
    expect(allowedOnPage[name]).toContain(form);
  }
});
