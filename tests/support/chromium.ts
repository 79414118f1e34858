import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { TestContext } from 'vitest';
import { PATIENCE_MS } from './patience.ts';

/** Debian's; playwright-core brings no browser of its own. */
const EXECUTABLE = '/usr/bin/chromium';

/** Skips a test, saying why, on a machine without Chromium; in CI it fails there instead. */
export function requireChromium(context: TestContext): void {
  if (hasChromium()) return;
  if (process.env.CI) throw new Error('chromium is not installed, and CI must run the tests that need it');
  context.skip('chromium is not installed');
}

export function hasChromium(): boolean {
  return existsSync(EXECUTABLE);
}

/** Chromium's sandbox refuses to run as root, as in the containers of CI. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A tab of its own, with nothing kept from others. `complaints` are errors of scripts, and what the console of the browser called one. */
export async function openTab(browser: Browser, url: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const context = await browser.newContext({ timezoneId: 'Europe/Berlin' });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(url);
  return { page, complaints };
}
