import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readConfig } from '../config/config.ts';
import { Demo } from './demo.ts';
import { startupPage } from './startup-page.ts';

let page: string;

beforeEach(() => {
  page = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    page += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const options = {
  config: readConfig({}),
  port: 4321,
  operatorKey: 'op_key',
  demo: null,
  signal: new AbortController().signal,
};

test('it says where it listens, with what key, and how to make a tenant and send it an event', async () => {
  await startupPage({ ...options, tenants: { count: async () => 0, oldest: async () => null } });
  expect(page).toContain('http://127.0.0.1:4321\n');
  expect(page).toMatch(/Operator key: +op_key\n/);
  expect(page).toMatch(/Console: +http:\/\/127\.0\.0\.1:4321\/console\/\n/);
  expect(page).toContain('http://127.0.0.1:4321/docs\n');
  expect(page).toMatch(/curl -s http:\/\/127\.0\.0\.1:4321\/v1\/tenants .*"id":"my_tenant_1"/);
  expect(page).toMatch(/curl -s http:\/\/127\.0\.0\.1:4321\/v1\/events .*"tenant_id":"my_tenant_1"/);
});

test('the tenant that it says to make is none that was deleted', async () => {
  await startupPage({ ...options, tenants: { count: async () => 1, oldest: async () => null } });
  expect(page).toMatch(/v1\/tenants .*"id":"my_tenant_2"/);
  expect(page).toMatch(/v1\/events .*"tenant_id":"my_tenant_2"/);
});

test('the event that it shows is for a tenant that is there, be the demo’s deleted', async () => {
  await startupPage({ ...options, tenants: { count: async () => 2, oldest: async () => 'acme' } });
  expect(page).toMatch(/v1\/events .*"tenant_id":"acme"/);
  expect(page).not.toContain('Make a tenant');
});

test('a database that does not answer in time costs the demo, not the installation', async () => {
  const away = async () => Promise.reject(new Error('timeout exceeded when trying to connect'));
  await startupPage({ ...options, demo: new Demo('/nowhere'), tenants: { count: away, oldest: away } });
  expect(page).toContain('The demo could not be shown: timeout exceeded when trying to connect');
  expect(page).toContain('http://127.0.0.1:4321\n');
});

test('once it is told to stop nothing is shown any more', async () => {
  const tenants = { count: async () => 0, oldest: async () => null };
  await startupPage({ ...options, tenants, signal: AbortSignal.abort() });
  expect(page).toBe('');
});
