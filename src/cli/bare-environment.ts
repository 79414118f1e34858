/** What a process needs to run, and nothing that Posthorn reads. */
const NEEDED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'TMP',
  'TEMP',
  'LANG',
  'LC_ALL',
  'TZ',
  'LD_LIBRARY_PATH',
  'SYSTEMROOT',
];

/**
 * The environment for a separate Posthorn that a command starts. The variables of an installation (`DATABASE_URL`, `REDIS_URL`, keys, their
 * files) are left out: with them it would take over that installation's database.
 */
export function bareEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(NEEDED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
