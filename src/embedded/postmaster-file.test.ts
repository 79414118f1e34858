import { expect, test } from 'vitest';
import { whoseCommand } from './postmaster-file.ts';

test('where ps may have written a path in another way, a live server is not taken for another program', () => {
  expect(whoseCommand('/m/bin/postgres -D /data/postgres -p 5', '/data/postgres')).toBe('ours');
  expect(whoseCommand('/m/bin/postgres -D /other/postgres -p 5', '/data/postgres')).toBe('other');
  expect(whoseCommand('/m/bin/postgres -D /Users/Zo\\M-C\\M-+/postgres', '/Users/Zoë/postgres')).toBe('unknown');
  expect(whoseCommand('/usr/bin/vi notes', '/Users/Zoë/postgres')).toBe('other');
});
