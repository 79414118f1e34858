import { afterEach, expect, test, vi } from 'vitest';
import { readConfig } from '../config/config.ts';
import { Demo } from './demo.ts';
import { startupPage } from './startup-page.ts';

afterEach(() => vi.restoreAllMocks());

test('without the demo too it says where it listens, with what key, and how to make a tenant and send it an event', async () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const prisma = { tenant: { count: async () => 0 } };
  await startupPage({ config: readConfig({ DEMO: 'false' }), port: 4321, operatorKey: 'op_key', demo: null, prisma });
  const page = written.mock.calls.map(([text]) => String(text)).join('');
  expect(page).toContain('http://127.0.0.1:4321\n');
  expect(page).toMatch(/Operator key: +op_key\n/);
  expect(page).toContain('http://127.0.0.1:4321/docs\n');
  expect(page).toMatch(/curl -s http:\/\/127\.0\.0\.1:4321\/v1\/tenants .*"id":"tenant_123"/);
  expect(page).toMatch(/curl -s http:\/\/127\.0\.0\.1:4321\/v1\/events .*"tenant_id":"tenant_123"/);
});

test('a database that does not answer in time costs the demo, not the installation', async () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const count = async () => Promise.reject(new Error('timeout exceeded when trying to connect'));
  const demo = new Demo('/nowhere');
  await startupPage({ config: readConfig({}), port: 4321, operatorKey: 'op_key', demo, prisma: { tenant: { count } } });
  const page = written.mock.calls.map(([text]) => String(text)).join('');
  expect(page).toContain('The demo could not be shown: timeout exceeded when trying to connect');
  expect(page).toContain('http://127.0.0.1:4321\n');
});
