interface Node {
  readonly host: string;
  readonly port: number;
}

interface Group {
  readonly nodes: readonly Node[];
  /** Of the Redis servers. */
  readonly login: { readonly username?: string; readonly password?: string };
  readonly isTls: boolean;
}

interface SentinelGroup extends Group {
  readonly kind: 'sentinel';
  readonly master: string;
  /** Of the Sentinels, where they have a login of their own. */
  readonly sentinelLogin: { readonly sentinelUsername?: string; readonly sentinelPassword?: string };
}

/** `one`: a URL that ioredis reads itself. */
export type RedisAddress = { readonly kind: 'one' } | (Group & { readonly kind: 'cluster' }) | SentinelGroup;

const GROUP = /^redis(s?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/;

/**
 * @param text `redis://…`, `rediss://…` (by TLS), `redis+sentinel://user:password@host:port,host:port/master?sentinel_username=…&sentinel_password=…` or
 * `redis+cluster://user:password@host:port,host:port`; of the last two `rediss+…` goes by TLS, to Sentinels too
 */
export function readRedisAddress(text: string): RedisAddress {
  const match = GROUP.exec(text);
  if (match === null) return { kind: 'one' };
  const [, secure, kind, userInfo, hosts, master, query] = match;
  const usualPort = kind === 'sentinel' ? 26379 : 6379;
  const nodes = hosts!.split(',').map((host) => readNode(host, usualPort));
  const [username, password] = (userInfo ?? '').split(':').map(decodeURIComponent);
  const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) };
  const group = { nodes, login, isTls: secure === 's' };
  if (kind === 'cluster') return { ...group, kind };
  return { ...group, kind: 'sentinel', master: master || 'mymaster', sentinelLogin: readSentinelLogin(query ?? '') };
}

function readNode(text: string, usualPort: number): Node {
  const [host, port] = text.split(/:(?=\d+$)/);
  return { host: host!, port: Number(port ?? usualPort) };
}

function readSentinelLogin(query: string): SentinelGroup['sentinelLogin'] {
  const parameters = new URLSearchParams(query);
  const [username, password] = [parameters.get('sentinel_username'), parameters.get('sentinel_password')];
  return {
    ...(username ? { sentinelUsername: username } : {}),
    ...(password ? { sentinelPassword: password } : {}),
  };
}
