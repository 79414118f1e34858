import { spawn } from 'node:child_process';

/** The operating system user that a program runs as; null is the user that we are. */
export type Account = { readonly uid: number; readonly gid: number } | null;

export interface Finished {
  /** Null when it could not be started or a signal ended it. */
  readonly code: number | null;
  /** Standard output and standard error, in the order in which they arrived. */
  readonly output: string;
}

/** Runs a program to its end. Never throws for what the program does; one that cannot be started has a null code and says why. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: { account?: Account; signal?: AbortSignal | undefined } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      ...spawnAs(options.account ?? null),
      // A session of its own: what a terminal tells the whole process group does not end it where it does not end us, as under nohup. On
      // Windows that would open a window.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const abort = () => child.kill('SIGKILL');
    if (options.signal?.aborted) abort();
    options.signal?.addEventListener('abort', abort, { once: true });
    const finish = (code: number | null) => {
      options.signal?.removeEventListener('abort', abort);
      resolve({ code, output });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.on('error', (error) => {
      output += error.message;
      finish(null);
    });
    child.on('close', finish);
  });
}

/**
 * The spawn options that make a program run as `account`, somewhere that the account can be. It sees nothing of our environment,
 * where secrets may be; Windows programs do not run without theirs.
 */
export function spawnAs(account: Account) {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return { cwd: '/', ...(process.platform === 'win32' ? {} : { env }), ...(account ?? {}) };
}
