import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';

const run = promisify(execFile);
const SETUP = join(import.meta.dirname, '../../scripts/setup.mjs');
/** Stands in for npm: it clears `node_modules`, brings what the lock file wants, and writes down what it was asked, and what lay in the clone meanwhile. */
const NPM = `
  const fs = require('node:fs');
  fs.appendFileSync('npm.log', process.argv[2] + ' ' + fs.readdirSync('.').filter((name) => name.includes('lock')).sort() + '\\n');
  fs.rmSync('node_modules', { recursive: true });
  fs.mkdirSync('node_modules');
  fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

/** A clone in miniature, with a temporary folder of its own. */
function makeClone() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'posthorn-clone-')));
  onTestFinished(() => {
    chmodSync(root, 0o755);
    rmSync(root, { recursive: true });
  });
  for (const folder of ['scripts', 'node_modules', 'shared']) mkdirSync(join(root, folder));
  copyFileSync(SETUP, join(root, 'scripts/setup.mjs'));
  writeFileSync(join(root, 'scripts/npm-cli.js'), NPM);
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{}}');
  const env = { ...process.env, TMPDIR: join(root, 'shared'), npm_execpath: join(root, 'scripts/npm-cli.js') };
  return {
    root,
    installed: join(root, 'node_modules/.package-lock.json'),
    setUp: () => run(process.execPath, [join(root, 'scripts/setup.mjs')], { env, timeout: PATIENCE_MS }),
    asked: () => readFileSync(join(root, 'npm.log'), 'utf8'),
  };
}

test('another account cannot keep a set-up waiting: its lock is in the clone, and gone afterwards', async () => {
  const { root, setUp, asked } = makeClone();
  const inShared = `posthorn-setup-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  mkdirSync(join(root, 'shared', inShared));
  writeFileSync(join(root, 'shared', inShared, 'pid'), String(process.pid));
  await setUp();
  expect(asked()).toBe('ci .setup-lock,package-lock.json\n');
  expect(existsSync(join(root, '.setup-lock'))).toBe(false);
});

test('of two set-ups of a clone at once one does the work, and the other finds it done', async () => {
  const { setUp, asked } = makeClone();
  await Promise.all([setUp(), setUp()]);
  expect(asked().match(/^ci /gm)).toHaveLength(1);
});

test('where all is in place a set-up writes nothing: a clone may be read-only', async () => {
  const { root, installed, setUp } = makeClone();
  writeFileSync(installed, '{"packages":{}}');
  chmodSync(root, 0o555);
  await setUp();
  expect(existsSync(join(root, 'npm.log'))).toBe(false);
});
