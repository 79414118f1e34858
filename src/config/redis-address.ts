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

const GROUP = /^redis(s?)\+(sentinel|cluster):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/;
const NODE = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;
const SENTINEL_PARAMETERS = { sentinel_username: 'sentinelUsername', sentinel_password: 'sentinelPassword' } as const;

/**
 * @param text `redis://…`, or `redis+sentinel://user:password@host:port,host:port/master?sentinel_username=…&sentinel_password=…`, or
 * `redis+cluster://user:password@host:port,host:port`; with `rediss` in the place of `redis` all connections use TLS, also those to
 * Sentinels
 * @returns null where it has none of these forms
 */
export function readRedisAddress(text: string): RedisAddress | null {
  if (/^rediss?:\/\//.test(text)) return URL.canParse(text) ? { kind: 'one' } : null;
  const [, secure, kind, userInfo, hosts, master, query] = GROUP.exec(text) ?? [];
  const nodes = (hosts ?? '').split(',').map((host) => readNode(host, kind === 'sentinel' ? 26379 : 6379));
  const login = readLogin(userInfo ?? '');
  if (login === null || !nodes.every((node) => node !== null)) return null;
  const group = { nodes, login, isTls: secure === 's' };
  if (kind === 'cluster') return master || query !== undefined ? null : { ...group, kind };
  const sentinelLogin = readSentinelLogin(query ?? '');
  return sentinelLogin && { ...group, kind: 'sentinel', master: master || 'mymaster', sentinelLogin };
}

function readNode(text: string, usualPort: number): Node | null {
  const [, v6, name, port] = NODE.exec(text) ?? [];
  const host = v6 ?? name;
  return host === undefined ? null : { host, port: Number(port ?? usualPort) };
}

/** A password may have colons: the first ends the name. */
function readLogin(userInfo: string): Group['login'] | null {
  const [name, ...rest] = userInfo.split(':');
  const [username, password] = [decoded(name!), decoded(rest.join(':'))];
  if (username === null || password === null) return null;
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function readSentinelLogin(query: string): SentinelGroup['sentinelLogin'] | null {
  const login: { -readonly [K in keyof SentinelGroup['sentinelLogin']]: string } = {};
  for (const parameter of query.split('&').filter((each) => each !== '')) {
    const [name, ...rest] = parameter.split('=');
    const value = decoded(rest.join('='));
    if (!Object.hasOwn(SENTINEL_PARAMETERS, name!) || value === null) return null;
    login[SENTINEL_PARAMETERS[name as keyof typeof SENTINEL_PARAMETERS]] = value;
  }
  return login;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
