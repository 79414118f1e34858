import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateSecret } from '../../src/signing/generate-secret.ts';
import { forgetExpiredSecrets } from '../../src/store/endpoint-secrets.ts';
import { loadTargets } from '../../src/store/targets.ts';
import { type Answer, call } from '../support/api.ts';
import { startTestService, type TestService } from '../support/test-service.ts';

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
  await api('POST', '/v1/tenants', { id: 'acme' });
});

afterAll(() => service.stop());

const api = (method: string, path: string, body?: unknown, key?: string) =>
  call(service.baseUrl, method, path, body, key === undefined ? {} : { authorization: `Bearer ${key}` });

async function create(body: object = {}): Promise<{ id: string; path: string; secret: string }> {
  const answer = await api('POST', '/v1/tenants/acme/endpoints', { url: 'https://receiver.example/', ...body });
  expect(answer).toMatchObject({ status: 201 });
  return { ...answer.body, path: `/v1/tenants/acme/endpoints/${answer.body.id}` };
}

/** What deliveries are signed with now, newest first. */
async function signing(id: string): Promise<readonly string[]> {
  const { apiPool, vault } = service.context;
  const { rows } = await apiPool.query('SELECT num FROM endpoints WHERE id = $1', [id]);
  const targets = await loadTargets(apiPool, vault, { retryScheduleMs: [0], timeoutMs: 1, maxInFlight: 1 }, [
    rows[0].num,
  ]);
  const loaded = targets.get(rows[0].num);
  return loaded?.kind === 'target' ? loaded.target.secrets : [];
}

async function stored(id: string): Promise<{ version: string; rows: string }> {
  const { rows } = await service.context.apiPool.query(
    'SELECT version, (SELECT count(*) FROM endpoint_secrets s WHERE s.endpoint_num = e.num) AS rows FROM endpoints e WHERE id = $1',
    [id],
  );
  return rows[0];
}

test('old and new secret sign together for the overlap, a day unless told otherwise', async () => {
  const { id, path, secret: first } = await create();
  const before = await stored(id);
  const rotated = await api('POST', `${path}/secret/rotate`);
  expect(rotated).toMatchObject({ status: 200, body: { previous: [{ secret: first }] } });
  const left = Date.parse(rotated.body.previous[0].expires_at) - Date.now();
  expect(left / 3_600_000).toBeCloseTo(24, 0);
  expect((await api('GET', `${path}/secret`)).body).toEqual(rotated.body);
  expect(await signing(id)).toEqual([rotated.body.secret, first]);
  expect(Number((await stored(id)).version)).toBe(Number(before.version) + 1);
});

test('an overlap of 0 leaves nothing of the old secrets, not even of those whose own overlap still ran', async () => {
  const { id, path } = await create();
  await api('POST', `${path}/secret/rotate`, { overlap_seconds: 604_800 });
  const rotated = await api('POST', `${path}/secret/rotate`, { overlap_seconds: 0 });
  expect(rotated.body.previous).toEqual([]);
  expect(await signing(id)).toEqual([rotated.body.secret]);
  expect((await stored(id)).rows).toBe('1');
});

test('another rotation ends older secrets sooner where it asks for that, and prolongs none', async () => {
  const { path, secret: first } = await create();
  const endOf = ({ body }: Answer, wanted: string) =>
    body.previous.find(({ secret }: { secret: string }) => secret === wanted).expires_at;
  const told = endOf(await api('POST', `${path}/secret/rotate`, { overlap_seconds: 600 }), first);
  expect(endOf(await api('POST', `${path}/secret/rotate`, { overlap_seconds: 604_800 }), first)).toBe(told);
  const sooner = endOf(await api('POST', `${path}/secret/rotate`, { overlap_seconds: 60 }), first);
  expect(Date.parse(sooner)).toBeLessThan(Date.parse(told));
});

test('a secret that expired signs no more and is shown no more', async () => {
  const { id, path, secret: first } = await create();
  const { body } = await api('POST', `${path}/secret/rotate`, { overlap_seconds: 60 });
  expect(await signing(id)).toContain(first);
  await service.context.apiPool.query(
    `UPDATE endpoint_secrets s SET expires_at = now() - interval '1 minute' FROM endpoints e WHERE e.num = s.endpoint_num AND e.id = $1 AND s.expires_at IS NOT NULL`,
    [id],
  );
  expect(await signing(id)).toEqual([body.secret]);
  expect((await api('GET', `${path}/secret`)).body.previous).toEqual([]);
});

test('a secret whose overlap is over is not kept, though no other comes', async () => {
  const { id, path } = await create();
  await api('POST', `${path}/secret/rotate`, { overlap_seconds: 60 });
  const { workerPool } = service.context;
  await forgetExpiredSecrets(workerPool);
  expect((await stored(id)).rows).toBe('2');
  await workerPool.query(`UPDATE endpoint_secrets SET expires_at = now() WHERE expires_at IS NOT NULL`);
  expect(await forgetExpiredSecrets(workerPool)).toBeGreaterThan(0);
  expect((await stored(id)).rows).toBe('1');
});

test('eight previous secrets sign at the most, and none ends before the moment that was told: another rotation is refused until it may', async () => {
  const { id, path, secret: first } = await create();
  const all = [first];
  for (let i = 0; i < 8; i++) all.push((await api('POST', `${path}/secret/rotate`, {})).body.secret);
  const refused = await api('POST', `${path}/secret/rotate`, { overlap_seconds: 60 });
  expect(refused).toMatchObject({ status: 409, body: { code: 'too_many_secrets' } });
  expect(new Set(await signing(id))).toEqual(new Set(all));
  const { body } = await api('POST', `${path}/secret/rotate`, { overlap_seconds: 0 });
  expect(await signing(id)).toEqual([body.secret]);
});

test('rotations at once leave one current secret', async () => {
  const { id, path } = await create();
  await Promise.all(Array.from({ length: 5 }, () => api('POST', `${path}/secret/rotate`, {})));
  const { rows } = await service.context.apiPool.query(
    'SELECT count(*) FROM endpoint_secrets s JOIN endpoints e ON e.num = s.endpoint_num WHERE e.id = $1 AND s.expires_at IS NULL',
    [id],
  );
  expect(rows[0].count).toBe('1');
  expect(await signing(id)).toHaveLength(6);
});

test.each(['v1', 'v1a'] as const)(
  'a secret of one’s own is taken for %s, at creation and at rotation',
  async (signature) => {
    const [own, next] = [generateSecret(signature), generateSecret(signature)];
    const { id, path, secret } = await create({ signature, secret: own });
    expect(secret).toBe(own);
    const rotated = await api('POST', `${path}/secret/rotate`, { secret: next, overlap_seconds: 60 });
    expect(rotated.body).toMatchObject({ secret: next, previous: [{ secret: own }] });
    expect('public_key' in rotated.body).toBe(signature === 'v1a');
    expect(await signing(id)).toEqual([next, own]);
  },
);

test.each([
  ['of the other scheme', generateSecret('v1a')],
  ['a public key', 'whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='],
  ['too short', 'whsec_c2hvcnQ='],
  ['not base64', 'whsec_!!!notbase64!!!notbase64!!!'],
  ['without a prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr'],
  ['empty', ''],
  ['huge', `whsec_${'A'.repeat(4000)}`],
])('a secret that is %s is refused without a part of it being said', async (_, secret) => {
  const { path } = await create();
  for (const answer of [
    await api('POST', '/v1/tenants/acme/endpoints', { url: 'https://receiver.example/', secret }),
    await api('POST', `${path}/secret/rotate`, { secret }),
  ]) {
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'secret' }] } });
    if (secret !== '') expect(JSON.stringify(answer.body)).not.toContain(secret.slice(6) || secret);
  }
});

test('a secret that signs already is not taken for a new one', async () => {
  const { path, secret } = await create();
  expect(await api('POST', `${path}/secret/rotate`, { secret })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'secret' }] },
  });
  expect((await api('GET', `${path}/secret`)).body).toMatchObject({ secret, previous: [] });
});

test.each([-1, 604_801, 1.5, '60', null])('an overlap of %j is refused', async (overlap_seconds) => {
  const { path, secret } = await create();
  const answer = await api('POST', `${path}/secret/rotate`, { overlap_seconds });
  expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'overlap_seconds' }] } });
  expect((await api('GET', `${path}/secret`)).body.secret).toBe(secret);
});

test('a key that may read endpoints reads secrets and does not rotate them', async () => {
  const { path } = await create();
  const reader = (await api('POST', '/v1/tenants/acme/keys', { scopes: ['endpoints:read'] })).body.key;
  const other = (await api('POST', '/v1/tenants/acme/keys', { scopes: ['events:write', 'deliveries:read'] })).body.key;
  expect((await api('GET', `${path}/secret`, undefined, reader)).status).toBe(200);
  expect((await api('POST', `${path}/secret/rotate`, {}, reader)).status).toBe(403);
  expect((await api('GET', `${path}/secret`, undefined, other)).status).toBe(403);
});

test('a private key is shown to those alone who may change the endpoint; what verifies is shown to all readers', async () => {
  const { path, secret: first } = await create({ signature: 'v1a' });
  const full = (await api('POST', `${path}/secret/rotate`)).body;
  const keyFor = async (...scopes: string[]) => (await api('POST', '/v1/tenants/acme/keys', { scopes })).body.key;
  const reader = await keyFor('endpoints:read');
  const writer = await keyFor('endpoints:read', 'endpoints:write');
  const [previous] = full.previous;
  expect(full).toMatchObject({ secret: expect.stringMatching(/^whsk_/), previous: [{ secret: first }] });
  expect((await api('GET', `${path}/secret`, undefined, writer)).body).toEqual(full);
  expect((await api('GET', `${path}/secret`)).body).toEqual(full);
  expect((await api('GET', `${path}/secret`, undefined, reader)).body).toEqual({
    ...full,
    secret: '***',
    previous: [{ ...previous, secret: '***' }],
  });
  const shared = await create();
  expect((await api('GET', `${shared.path}/secret`, undefined, reader)).body.secret).toBe(shared.secret);
});
