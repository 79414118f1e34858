import { expect, test } from 'vitest';
import { rabbitmqConnection } from './rabbitmq-connection.ts';

const whole = {
  hosts: ['rabbit.example:5672'],
  vhost: '/',
  username: 'u',
  password: 'p',
  tls: false,
  heartbeat_seconds: 10,
};

test('a URL is taken apart, and what comes of it is accepted again', () => {
  const parsed = rabbitmqConnection.parse({ url: 'amqps://us%40er:p%2Fw@[::1]:5679/my%2Fhost', heartbeat_seconds: 5 });
  expect(parsed).toEqual({
    hosts: ['[::1]:5679'],
    vhost: 'my/host',
    username: 'us@er',
    password: 'p/w',
    tls: true,
    heartbeat_seconds: 5,
  });
  expect(rabbitmqConnection.parse(parsed)).toEqual(parsed);
  const bare = rabbitmqConnection.parse({ url: 'amqp://u:p@rabbit.example' });
  expect(bare).toEqual(whole);
  const tls = { server_name: 'rabbit.test' };
  expect(rabbitmqConnection.parse({ url: 'amqps://u:p@rabbit.example', tls }).tls).toEqual(tls);
  expect(rabbitmqConnection.parse({ url: 'amqps://u:p@rabbit.example/' }).hosts).toEqual(['rabbit.example:5671']);
});

test('the parts of a URL are as long as the fields may be, and are accepted again', () => {
  const urlOf = (user: string, password: string, host: string, vhost: string) =>
    `amqp://${encodeURIComponent(user)}:${password}@${host}:65535/${vhost}`;
  const [user, password, host, vhost] = ['u'.repeat(255), 'p'.repeat(1024), 'h'.repeat(253), 'v'.repeat(255)];
  const parsed = rabbitmqConnection.parse({ url: urlOf(user, password, host, vhost) });
  expect(parsed).toMatchObject({ username: user, password, vhost });
  expect(rabbitmqConnection.parse(parsed)).toEqual(parsed);
  const problemOf = (url: string) => rabbitmqConnection.safeParse({ url }).error?.issues[0];
  expect(problemOf(urlOf('é'.repeat(128), 'p', 'h', 'v'))?.message).toBe('its user name: expected at most 255 bytes');
  expect(problemOf(urlOf('u', `${password}p`, 'h', 'v'))?.message).toMatch(/^its password: .*1024 characters$/);
  expect(problemOf(urlOf('u', 'p', `${host}h`, 'v'))?.message).toBe('its host: expected host:port');
  expect(problemOf(urlOf('u', 'p', 'h', `${vhost}v`))?.message).toBe('its virtual host: expected at most 255 bytes');
});

test.each([
  [{}, 'hosts: expected hosts, or a url'],
  [{ hosts: ['a:1'] }, 'username: required'],
  [{ hosts: ['a:1'], username: 'u' }, 'password: required'],
  [{ hosts: ['a'], username: 'u', password: 'p' }, 'hosts.0: expected host:port'],
  [{ hosts: ['a:0'], username: 'u', password: 'p' }, 'hosts.0: expected host:port'],
  [{ hosts: [], username: 'u', password: 'p' }, 'hosts: '],
  [{ url: 'http://u:secret@h' }, 'url: expected amqp://'],
  [{ url: 'amqp://u:secret@h:99999' }, 'url: expected amqp://'],
  [{ url: 'not a url secret' }, 'url: expected amqp://'],
  [{ url: 'amqp://u:secret@h/a/b' }, 'url: expected one path segment'],
  [{ url: 'amqp://u:secret@h?heartbeat=0' }, 'url: expected nothing behind'],
  [{ url: 'amqp://u:secret@h#vhost' }, 'url: expected nothing behind'],
  [{ url: 'amqp://u:%zz-secret@h' }, 'url: expected percent-encoding'],
  [{ url: 'amqp://u:secret@' }, 'url: expected'],
  [{ url: 'amqp://h' }, 'username: required'],
  [{ url: 'amqp://u:secret@h:0' }, 'url: its host: expected host:port'],
  [{ url: 'amqp://u:secret@h%20x' }, 'url: its host: expected host:port'],
  [{ url: 'amqp://u:secret@h/%00a' }, 'url: its virtual host: expected valid Unicode without NUL'],
  [{ url: 'amqp://u:secret@h/%0aa' }, 'url: its virtual host: expected no control characters'],
  [{ url: 'amqp://u%0A:secret@h' }, 'url: its user name: expected no control characters'],
  [{ url: 'amqp://u:secret@h', password: 'p' }, 'password: is in the url already'],
  [{ url: 'amqps://u:secret@h', tls: false }, 'tls: contradicts'],
  [{ ...whole, vhost: 'a\nb' }, 'vhost: expected no control characters'],
  [{ ...whole, vhost: 'é'.repeat(128) }, 'vhost: expected at most 255 bytes'],
  [{ ...whole, heartbeat_seconds: 0 }, 'heartbeat_seconds: '],
  [{ ...whole, tls: { ca: 'x' } }, 'tls'],
  [{ ...whole, __proto__: null, nonsense: 1 }, ''],
])('%j is refused with its path and without its secrets', (input, expected) => {
  const issues = rabbitmqConnection.safeParse(input).error?.issues ?? [];
  const texts = issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  expect(texts.some((text) => text.includes(expected))).toBe(true);
  expect(JSON.stringify(texts)).not.toContain('secret');
});
