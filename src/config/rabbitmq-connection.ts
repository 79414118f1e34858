import { z } from 'zod';
import { type BrokerTls, brokerTls, hostPort } from './kafka-connection.ts';
import { storableText } from './storable-text.ts';

/** AMQP's short string: at most 255 bytes. */
const shortString = storableText
  .refine((text) => Buffer.byteLength(text) <= 255, 'expected at most 255 bytes')
  .regex(/^\P{Cc}*$/u, 'expected no control characters');

const parts = {
  hosts: z.array(hostPort).min(1).max(20).optional().describe('Nodes of the cluster, as host:port, tried in turn.'),
  vhost: shortString.min(1).optional().describe('Virtual host; `/` unless given.'),
  username: shortString.min(1).optional(),
  password: z.string().min(1).max(1024).optional().describe('Never shown again.'),
  tls: brokerTls.optional(),
  heartbeat_seconds: z
    .number()
    .int()
    .min(1)
    .max(600)
    .default(10)
    .describe('A connection that is silent for twice as long is given up.'),
};

/**
 * How a RabbitMQ is reached. A URL is taken apart at once, so that what is kept has its secrets where they are looked for; the result is
 * accepted as an input, too.
 */
export const rabbitmqConnection = z
  .strictObject({
    url: z
      .string()
      .max(2048)
      .optional()
      .describe(
        '`amqp://user:password@host:5672/vhost` or `amqps://…` in place of hosts, vhost, username and password.',
      ),
    ...parts,
  })
  .transform((input, context): RabbitmqConnection => {
    const { url, hosts, username, password, ...rest } = input;
    const given = { hosts, vhost: rest.vhost, username, password };
    const read = url === undefined ? given : readUrl(url);
    if (typeof read === 'string') return fail(context, 'url', read);
    const problem = url === undefined ? null : partProblem(read);
    if (problem !== null) return fail(context, 'url', problem);
    const twice = url === undefined ? [] : Object.entries(given).filter(([, value]) => value !== undefined);
    if (twice.length > 0) return fail(context, twice[0]![0], 'is in the url already');
    if (read.hosts === undefined) return fail(context, 'hosts', 'expected hosts, or a url');
    if (read.username === undefined) return fail(context, 'username', 'required');
    if (read.password === undefined) return fail(context, 'password', 'required');
    if ('tls' in read && read.tls === true && rest.tls === false) return fail(context, 'tls', 'contradicts amqps://');
    return {
      hosts: read.hosts,
      vhost: read.vhost ?? '/',
      username: read.username,
      password: read.password,
      tls: rest.tls ?? ('tls' in read ? read.tls : false),
      heartbeat_seconds: rest.heartbeat_seconds,
    };
  });

export interface RabbitmqConnection {
  readonly hosts: readonly string[];
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
  readonly tls: BrokerTls;
  readonly heartbeat_seconds: number;
}

function fail(context: z.core.$RefinementCtx, path: string, message: string): never {
  context.issues.push({ code: 'custom', path: [path], message, input: undefined });
  return z.NEVER;
}

interface UrlParts {
  readonly hosts: readonly string[];
  readonly vhost: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

/** @returns what is wrong with it, in words that do not repeat it: it has a password in it. */
function readUrl(text: string): UrlParts | string {
  const url = URL.parse(text);
  if (url === null || !/^amqps?:$/.test(url.protocol)) return 'expected amqp://user:password@host/vhost, or amqps://';
  if (url.search !== '' || url.hash !== '')
    return 'expected nothing behind the virtual host; there are fields for the rest';
  if (url.hostname === '') return 'expected a host';
  const [vhost, username, password] = [url.pathname.slice(1), url.username, url.password].map(decoded);
  if (vhost === null || username === null || password === null) return 'expected percent-encoding that can be decoded';
  if (url.pathname.slice(1).includes('/')) return 'expected one path segment, the virtual host, with / written as %2F';
  const port = url.port === '' ? (url.protocol === 'amqps:' ? '5671' : '5672') : url.port;
  return {
    hosts: [`${url.hostname}:${port}`],
    vhost: vhost || undefined,
    username: username || undefined,
    password: password || undefined,
    tls: url.protocol === 'amqps:',
  };
}

const NAMES = { hosts: 'host', vhost: 'virtual host', username: 'user name', password: 'password' } as const;

/** What stands in a URL is held to what the same fields are by themselves: it is kept, and read again, as these. */
function partProblem(read: Readonly<Record<keyof typeof NAMES, unknown>>): string | null {
  for (const [field, name] of Object.entries(NAMES)) {
    const part = field as keyof typeof NAMES;
    const issue = parts[part].safeParse(read[part]).error?.issues[0];
    if (issue !== undefined) return `its ${name}: ${issue.message}`;
  }
  return null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
