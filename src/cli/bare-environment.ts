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

/** The environment for a Posthorn of its own: with what stands in that of an installation (`DATABASE_URL`, `REDIS_URL`, keys, their files) it would take that over. */
export function bareEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(NEEDED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
