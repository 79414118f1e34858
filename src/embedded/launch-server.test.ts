import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { launchServer } from './launch-server.ts';

/** Never ready, as in a long recovery; says which signals come, and ends at those that are not mild. */
const RECOVERING = `#!${process.execPath}
const say = (line) => require('fs').writeSync(1, line + '\\n');
process.on('SIGINT', () => say('SIGINT'));
process.on('SIGQUIT', () => { say('SIGQUIT'); process.exit(); });
setTimeout(process.exit, 60_000);
say('up');
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'posthorn-launch-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

const output = () => readFileSync(join(folder, 'log'), 'utf8');

async function said(line: string): Promise<void> {
  while (!output().includes(`${line}\n`)) await delay(5);
}

/** A start that is under way. */
async function launching(signal: AbortSignal, lost: AbortSignal) {
  const postgres = join(folder, 'postgres');
  writeFileSync(postgres, RECOVERING, { mode: 0o755 });
  writeFileSync(join(folder, 'log'), '');
  const started: Promise<unknown> = launchServer({
    place: { dataDir: folder, base: folder, cluster: join(folder, 'cluster'), account: null },
    binaries: { postgres, initdb: postgres, major: '18' },
    logPath: join(folder, 'log'),
    settings: {},
    log: () => {},
    signal: AbortSignal.any([signal, lost]),
    lost,
  }).catch((error: unknown) => error);
  await said('up');
  return { started };
}

test.skipIf(process.platform === 'win32')(
  'a server that comes up in a folder that was lost is ended at once, without a checkpoint',
  async () => {
    const [stop, lost] = [new AbortController(), new AbortController()];
    const reason = new Error('lost');
    const { started } = await launching(stop.signal, lost.signal);
    lost.abort(reason);
    expect(await started).toBe(reason);
    expect(output()).toBe('up\nSIGQUIT\n');
  },
);

test.skipIf(process.platform === 'win32')(
  'a server that is told to stop while it comes up is stopped mildly, and at once when its folder is lost meanwhile',
  async () => {
    const [stop, lost] = [new AbortController(), new AbortController()];
    const reason = new Error('not today');
    const { started } = await launching(stop.signal, lost.signal);
    stop.abort(reason);
    await said('SIGINT');
    lost.abort();
    expect(await started).toBe(reason);
    expect(output()).toBe('up\nSIGINT\nSIGQUIT\n');
  },
);
