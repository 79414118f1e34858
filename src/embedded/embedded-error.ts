import { join } from 'node:path';

/** Why the embedded Postgres could not start. */
export type EmbeddedFailure =
  | 'in-use'
  | 'no-space'
  | 'no-shared-memory'
  | 'no-permission'
  | 'no-folder'
  | 'no-account'
  | 'no-binaries'
  | 'wrong-version'
  | 'bad-key'
  | 'aborted'
  | 'failed';

/** Its message is written for the operator: what happened, where, and what to do about it. */
export class EmbeddedPostgresError extends Error {
  readonly kind: EmbeddedFailure;

  constructor(kind: EmbeddedFailure, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'EmbeddedPostgresError';
    this.kind = kind;
  }
}

/**
 * Turns the failure of a file operation, or what a Postgres program printed before it ended, into a message that can be acted on.
 * @param doing what was attempted, as in "Cannot <doing>".
 * @param path the folder that the operator has to look at.
 */
export function explainFailure(doing: string, path: string, cause: unknown): EmbeddedPostgresError {
  if (cause instanceof EmbeddedPostgresError) return cause;
  const said = lastLines(cause instanceof Error ? cause.message : String(cause));
  // Before the disk: it is told as a file that there is no space for, or that may not be made.
  if (/shared memory segment "\//.test(said)) {
    return new EmbeddedPostgresError(
      'no-shared-memory',
      `Cannot ${doing}: Postgres gets no shared memory in /dev/shm, which is full, too small or not ours to write to. Give the container more of it (\`docker run --shm-size=256m\`), or free some; \
or add the line \`dynamic_shared_memory_type = mmap\` at the end of ${join(path, 'postgres/postgresql.conf')}, so that it uses files there.\n${said}`,
      { cause },
    );
  }
  // The system's table of segments is full: what Postgres says of it says what to do.
  if (/shmget\(/.test(said)) return plainFailure(doing, path, said, cause);
  if (/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded|Check free disk space/i.test(said)) {
    return new EmbeddedPostgresError(
      'no-space',
      `Cannot ${doing}: no space is left on the disk of ${path}. Free some space there, or set DATA_DIR to a folder on another disk.\n${said}`,
      { cause },
    );
  }
  if (
    /EACCES|EPERM|EROFS|Permission denied|Operation not permitted|Read-only file system|could not access directory/i.test(
      said,
    )
  ) {
    return new EmbeddedPostgresError(
      'no-permission',
      `Cannot ${doing}: ${userName()} may not read and write ${path}. Give it that folder, start as the user that owns it, or set DATA_DIR to another folder.\n${said}`,
      { cause },
    );
  }
  // Another program that is missing is told by its name, not as a folder.
  if (/EEXIST|ENOTDIR|ENAMETOOLONG|ELOOP|(?:ENOENT|EINVAL): .*, mkdir/.test(said)) {
    return noFolder(doing, path, cause);
  }
  return plainFailure(doing, path, said, cause);
}

function plainFailure(doing: string, path: string, said: string, cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError('failed', `Cannot ${doing} (folder: ${path}).\n${said}`, { cause });
}

/** `path` is no folder, or one in which nothing can be made, as /proc. */
export function noFolder(doing: string, path: string, cause: unknown): EmbeddedPostgresError {
  const said = lastLines(cause instanceof Error ? cause.message : String(cause));
  return new EmbeddedPostgresError(
    'no-folder',
    `Cannot ${doing}: ${path} is no folder, and cannot be made one. Set DATA_DIR to another folder.\n${said}`,
    { cause },
  );
}

/** A program says what went wrong last. */
function lastLines(text: string): string {
  return text.trim().split('\n').slice(-12).join('\n');
}

function userName(): string {
  const uid = process.getuid?.();
  return uid === undefined ? 'this user' : uid === 0 ? 'root, or the account that Postgres runs as,' : `user ${uid}`;
}
