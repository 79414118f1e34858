import { expect, test } from 'vitest';
import { shortNumber, textTable } from './text-table.ts';

test('columns are as wide as their widest cell, and what is not known is a dash', () => {
  const table = textTable(
    ['name', 'figure'],
    [
      ['a', 12_345.6],
      ['longer', null],
    ],
  );
  expect(table).toBe('name    figure\n------  ------\na       12,346\nlonger       –');
});

test('numbers are shown to three figures', () => {
  expect([0, 0.012345, 0.5, 2.46813, 25.04, 412.7, 15_234].map(shortNumber)).toEqual([
    '0',
    '0.0123',
    '0.5',
    '2.47',
    '25',
    '413',
    '15,234',
  ]);
});
