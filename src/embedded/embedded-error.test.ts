import { expect, test } from 'vitest';
import { EmbeddedPostgresError, explainFailure } from './embedded-error.ts';

test('a full disk is told as one, with the folder and what to do', () => {
  for (const said of [
    'ENOSPC: no space left on device, write',
    'FATAL:  could not extend file "base/1/2691": wrote only 4096 of 8192 bytes at block 9\nHINT:  Check free disk space.',
    'FATAL:  could not write lock file "postmaster.pid": No space left on device',
  ]) {
    const error = explainFailure('start the embedded Postgres', '/data', new Error(said));
    expect(error).toMatchObject({ kind: 'no-space', message: expect.stringMatching(/disk of \/data.*DATA_DIR/s) });
    expect(error.message).toContain(said);
  }
});

test('shared memory that cannot be had is told as such, and not as a full or forbidden disk', () => {
  for (const said of [
    'FATAL:  could not resize shared memory segment "/PostgreSQL.2468" to 1048576 bytes: No space left on device',
    'FATAL:  could not open shared memory segment "/PostgreSQL.2468": Permission denied',
  ]) {
    expect(explainFailure('start the embedded Postgres', '/data', said)).toMatchObject({
      kind: 'no-shared-memory',
      message: expect.stringMatching(
        /\/dev\/shm.*--shm-size.*dynamic_shared_memory_type = mmap.*\/data\/postgres\/postgresql\.conf/s,
      ),
    });
  }
  const said =
    'FATAL:  could not create shared memory segment: No space left on device\nDETAIL:  Failed system call was shmget(key=42, size=56, 03600).';
  const error = explainFailure('start the embedded Postgres', '/data', said);
  expect(error.kind).toBe('failed');
  expect(error.message).toContain(said);
});

test('a missing permission is told as one, with the folder and what to do', () => {
  for (const said of ["EACCES: permission denied, mkdir '/data'", "EROFS: read-only file system, open '/data/x'"]) {
    const error = explainFailure('start the embedded Postgres', '/data', new Error(said));
    expect(error).toMatchObject({
      kind: 'no-permission',
      message: expect.stringMatching(/read and write \/data.*DATA_DIR/s),
    });
  }
});

test('what is no folder is told as such, with what to do', () => {
  for (const said of [
    "EEXIST: file already exists, mkdir '/data'",
    "ENOTDIR: not a directory, mkdir '/data'",
    "ENOENT: no such file or directory, mkdir '/data'",
    "ENAMETOOLONG: name too long, mkdir '/data'",
  ]) {
    const error = explainFailure('start the embedded Postgres', '/data', new Error(said));
    expect(error).toMatchObject({
      kind: 'no-folder',
      message: expect.stringMatching(/\/data is no folder.*DATA_DIR/s),
    });
    expect(error.message).toContain(said);
  }
  expect(explainFailure('start', '/data', new Error('spawn initdb ENOENT')).kind).toBe('failed');
});

test('anything else is told in the words of who failed', () => {
  expect(explainFailure('start', '/data', 'FATAL:  boom')).toMatchObject({
    kind: 'failed',
    message: expect.stringContaining('FATAL:  boom'),
  });
});

test('an explanation is not explained again', () => {
  const error = new EmbeddedPostgresError('in-use', 'taken');
  expect(explainFailure('start', '/data', error)).toBe(error);
});
