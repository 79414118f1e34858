import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { hasChromium, launchChromium, openTab, requireChromium } from './chromium.ts';
import type { ReceiverPaths } from './receiver-paths.ts';
import { openApiAndWorker, type Stage } from './stage.ts';

/** An API, a worker, a receiver and a browser, for the tests of a file. */
export interface ConsoleStage {
  readonly stage: Stage;
  readonly receiver: ReceiverPaths;
  /** The base URL of the API. */
  readonly api: string;
  readonly browser: Browser;
  /** Opens the console in a tab of its own and gives it a key. */
  readonly signIn: (key: string) => Promise<{
    page: Page;
    /** Errors of scripts, and what the browser complained of. */
    complaints: readonly string[];
    give: (again: string) => Promise<void>;
    /** Resolves once the view has such a heading. */
    heading: (name: string | RegExp) => Promise<void>;
  }>;
}

/** Sets the stage up before the tests of a file and clears it afterwards; without Chromium they are skipped. */
export function consoleStage(): () => ConsoleStage {
  let made: ConsoleStage | undefined;
  beforeAll(async () => {
    if (!hasChromium()) return;
    const [opened, browser] = await Promise.all([openApiAndWorker(), launchChromium()]);
    made = { ...opened, browser, signIn: (key) => signIn(browser, opened.api, key) };
  });
  afterAll(async () => {
    await made?.browser.close();
    await made?.stage.close();
  });
  beforeEach(requireChromium);
  return () => made!;
}

async function signIn(browser: Browser, api: string, key: string) {
  const { page, complaints } = await openTab(browser, `${api}/console`);
  const give = async (again: string) => {
    await page.getByLabel('API key').fill(again);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  await give(key);
  const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name }).waitFor();
  return { page, complaints, give, heading };
}
