// Makes a clone ready to run: packages, Node 26, Prisma client. Called before every npm script that needs them (ready.sh).
// It runs on the stock Node of a fresh machine (20 or later), with no packages: nothing but node:* and setup/ may be imported, and no TypeScript.
// When all is in place it only compares a few files.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modules, nodeBinary, root, SetupError, say } from './setup/clone.mjs';
import { forgetLeftOut, noteLeftOut, packagesLeftOut } from './setup/left-out-packages.mjs';
import { makeWay } from './setup/make-way.mjs';
import { readJson, readText, realPath } from './setup/read-if-there.mjs';
import { execute, npm, runs, Stopped } from './setup/run-program.mjs';
import { lock } from './setup/setup-lock.mjs';
import { isNeeded, missingPackages, scriptsRefuseNode } from './setup/wanted-packages.mjs';

const OLDEST_NODE = 20;
const WANTED_NODE = 26;

const packageLock = join(root, 'package-lock.json');
const schema = join(root, 'prisma', 'schema.prisma');
const generated = join(root, 'src', 'store', 'generated');
const stamp = join(generated, '.made-from');

/** One step of the set-up. `isDone` is cheap; `run`, under the lock, rejects with a SetupError or leaves `isDone` true. It leaves the thread alone meanwhile, which touches the lock. */
const steps = [
  { isDone: packagesMatchLock, run: installPackages },
  { isDone: hasNode, run: installNode },
  { isDone: clientMatchesSchema, run: generateClient },
];

try {
  await setUp();
} catch (error) {
  // Nobody listens to it any more: it ends us.
  if (error instanceof Stopped) process.kill(process.pid, error.signal);
  else if (!(error instanceof SetupError)) throw error;
  else {
    console.error(`\nposthorn: ${error.message}`);
    process.exitCode = 1;
  }
}

async function setUp() {
  if (nodeMajor(process.version) < OLDEST_NODE) {
    throw new SetupError(
      `this is Node ${process.version}; Posthorn wants Node ${OLDEST_NODE} or later to install itself.`,
    );
  }
  if (steps.every((step) => step.isDone())) return;
  const held = await lock();
  try {
    // Another set-up may have done some of it while this one waited.
    for (const step of steps) if (!step.isDone()) await step.run(held);
  } finally {
    held.release();
  }
}

/** Whether npm installed what the lock file says. npm's own record of it is written last, so it is missing after an interruption. */
function packagesMatchLock() {
  return packagesToInstall().length === 0;
}

/** Their paths in the clone; `node_modules` where nothing is known of what is in there. Not again what a start does without, and npm ci left out before. */
function packagesToInstall() {
  const lock = readText(packageLock);
  const wanted = readJson(packageLock)?.packages;
  const installed = readJson(join(modules, '.package-lock.json'))?.packages;
  if (!wanted || !installed) return ['node_modules'];
  const missing = missingPackages(wanted, installed);
  if (missing.length === 0) return [];
  const leftOut = packagesLeftOut(lock);
  return missing.filter((path) => isNeeded(path, wanted) || !leftOut.includes(path));
}

async function installPackages(held) {
  await makeWay();
  say('installing packages (npm ci); the first time this takes half a minute or so');
  forgetLeftOut();
  // NODE_ENV=production would leave out Node 26 and Prisma's generator, which are what this is for.
  // Nor may omit=optional of the user's npm leave out the embedded Postgres.
  const settings = ['--include=dev', '--include=optional', '--include=peer', '--no-audit', '--no-fund'];
  const preloads = ['tell-glibc.cjs'];
  if (scriptsRefuseNode(readJson(packageLock)?.packages ?? {})) {
    // All that is needed of what scripts do is Node 26, which has a step of its own.
    settings.push('--ignore-scripts');
    preloads.push('as-node-26.cjs');
  }
  if (!(await npm(held, ['ci', ...settings], preloads))) {
    throw new SetupError(
      'npm ci failed; what it said is above. It needs a connection to the package registry, and nothing else that changes node_modules meanwhile.',
    );
  }
  acceptLeftOut(packagesToInstall());
}

/** npm passes over optional packages in silence: those that it cannot fetch, and those that it takes for another machine's. */
function acceptLeftOut(missing) {
  if (missing.length === 0) return;
  const wanted = readJson(packageLock)?.packages ?? {};
  const needed = missing.filter((path) => isNeeded(path, wanted));
  if (needed.length > 0) {
    throw new SetupError(
      `npm ci did not install what this machine needs: ${listed(needed)}. ` +
        'It says nothing of optional packages that it cannot fetch: see that the package registry has them and that the connection to it holds, then do this again.',
    );
  }
  noteLeftOut(readText(packageLock), missing);
  say(
    `npm ci left out ${listed(missing)}. A start does without; a tool for development or a test may not. ` +
      'Where the package registry or the connection to it was at fault, delete node_modules and do this again; an old npm leaves out what a later one installs.',
  );
}

function listed(paths) {
  const more = paths.length > 5 ? ` and ${paths.length - 5} more` : '';
  return `${paths.slice(0, 5).join(', ')}${more}`;
}

/** The npm package `node` puts Node 26 first on the PATH of npm scripts; a stock Node that is new enough will do as well. */
function hasNode() {
  if (!existsSync(nodeBinary)) return nodeMajor(process.version) >= WANTED_NODE;
  return realPath(nodeBinary) === realPath(process.execPath) || runs(nodeBinary);
}

/** Runs the install script of the package `node`, for an npm that did not (ignore-scripts) or did so on a machine of another kind, and links what it brought. */
async function installNode(held) {
  say(`installing Node ${WANTED_NODE}`);
  // One that does not run would be the `node` of the install script.
  rmSync(nodeBinary, { force: true });
  if ((await npm(held, ['rebuild', 'node', '--ignore-scripts=false'])) && runs(nodeBinary)) return;
  rmSync(nodeBinary, { force: true });
  if (hasNode()) return;
  throw new SetupError(
    `the npm package node could not be installed for ${process.platform}-${process.arch}. ` +
      `Install Node ${WANTED_NODE} yourself, or let npm run the install script of that package.`,
  );
}

function clientMatchesSchema() {
  return !existsSync(schema) || readText(stamp) === clientStamp();
}

/** What the client is made from: the schema and the version of the generator. */
function clientStamp() {
  const version = readJson(join(modules, 'prisma', 'package.json'))?.version;
  return createHash('sha256').update(`${version}\n`).update(readFileSync(schema)).digest('hex');
}

async function generateClient(held) {
  say('generating the database client');
  rmSync(stamp, { force: true });
  const node = existsSync(nodeBinary) ? nodeBinary : process.execPath;
  const { status, output } = await execute(
    held,
    node,
    [join(modules, 'prisma', 'build', 'index.js'), 'generate', '--schema', schema],
    {
      cwd: root,
      // Prisma downloads its schema engine even where it is not needed; told of any existing file, it does not.
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    },
  );
  if (status !== 0) throw new SetupError(`prisma generate failed:\n${output}`);
  writeFileSync(stamp, clientStamp());
}

function nodeMajor(version) {
  return Number(version.slice(1).split('.')[0]);
}
