/** Forms that values of variables have: each reads a text, and its error and its description say what is allowed. */
import { z } from 'zod';
import { endsLoginEarly } from './postgres-url.ts';
import { readRedisAddress } from './redis-address.ts';

export const integer = (least: number, most: number, unit?: string) =>
  z
    .string()
    .regex(/^-?\d+$/, 'expected a whole number')
    .transform(Number)
    .pipe(between(least, most, unit));

export const rate = (least: number, most: number, unit: string) =>
  z
    .string()
    .regex(/^\d{1,15}(\.\d{1,6})?$/, 'expected a number')
    .transform(Number)
    .pipe(between(least, most, unit));

function between(least: number, most: number, unit: string | undefined) {
  const expected = `expected ${least} to ${most}${unit === undefined ? '' : ` ${unit}`}`;
  return z.number().min(least, expected).max(most, expected).meta({ unit });
}

/** Text of a form that JSON Schema cannot tell in words; `form` is both what the error says and what the documentation does. */
export const textLike = (pattern: RegExp, form: string, most?: number) => {
  const text = z.string().regex(pattern, `expected ${form}`);
  return (most === undefined ? text : text.max(most)).describe(form);
};

export const flag = z
  .enum(['true', 'false', '1', '0'], 'expected true, false, 1 or 0')
  .transform((text) => text === 'true' || text === '1');

export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

export const url = (protocols: readonly string[]) => {
  const form = `a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`;
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      message: `expected ${form}`,
    })
    .describe(form);
};

/** The URL itself stays out of the error: it has a password. */
export const postgresUrl = url(['postgres:', 'postgresql:'])
  .refine((text) => !endsLoginEarly(text), {
    message: 'user or password has characters that must be percent-encoded (/ is %2F, ? is %3F, # is %23, @ is %40)',
  })
  .describe('a URL that starts with postgres:// or postgresql://, with user and password percent-encoded');

const REDIS =
  'a URL that starts with redis:// or rediss://, or with redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster:// and hosts';

/** Sentinel and Cluster URLs name several hosts, which no URL may. */
export const redisUrl = z
  .string()
  .refine((text) => readRedisAddress(text) !== null, { message: `expected ${REDIS}` })
  .describe(REDIS);

export const path = z.string().min(1).describe('a path');

const CIDRS = 'addresses or CIDRs such as 10.0.0.0/8, separated by commas';

export const cidrs = list
  .pipe(z.array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], `expected ${CIDRS}`)))
  .describe(CIDRS);

const MASTER_KEY = '32 bytes in base64 (44 characters)';

export const masterKeys = list
  .pipe(
    z
      .array(z.string().regex(/^[A-Za-z0-9+/]{43}=$/, `expected ${MASTER_KEY}; make one with: openssl rand -base64 32`))
      .min(1),
  )
  .describe(`${MASTER_KEY}, or several separated by commas`);

export const roles = list.pipe(
  z.array(z.enum(['api', 'worker', 'ingest'], 'expected api, worker, ingest, or several separated by commas')).min(1),
);

export const DESTINATIONS = ['http', 'kafka', 'rabbitmq'] as const;

export const destinations = list.pipe(
  z.array(z.enum(DESTINATIONS, `expected some of ${DESTINATIONS.join(', ')}, separated by commas`)).min(1),
);
