import { expect, test } from 'vitest';
import { visibleJson, visibleText } from './visible-text.ts';

test('what cannot be seen is written out: controls, direction, nothing at all, line separators, half characters', () => {
  expect(visibleText('a\u0000\u001b[31m\u007f\u0085')).toBe('a\\u{0}\\u{1b}[31m\\u{7f}\\u{85}');
  expect(visibleText('\u202egnp.exe\u2066\u200f\u061c')).toBe('\\u{202e}gnp.exe\\u{2066}\\u{200f}\\u{61c}');
  expect(visibleText('a\u200bb\ufeff\u2028c\ud800d\u{e0001}')).toBe(
    'a\\u{200b}b\\u{feff}\\u{2028}c\\u{d800}d\\u{e0001}',
  );
  expect(visibleText('a\u3164\u2800\ufe0f\u{e0101}\u034fb')).toBe('a\\u{3164}\\u{2800}\\u{fe0f}\\u{e0101}\\u{34f}b');
  expect(visibleText('a\rb')).toBe('a\\u{d}b');
});

test('text of any language stays as it is, with its lines', () => {
  const text = 'Grüße,\tשלום 你好 🙂\r\n<b>&amp;</b>\n';
  expect(visibleText(text)).toBe(text.replace('\r\n', '\n'));
});

test('JSON stays the same JSON, and ASCII escapes show what cannot be seen', () => {
  const value = { text: '👩\u200d👧 \u202e\u{e0041}\n\t"\\', n: [1] };
  const shown = visibleJson(JSON.stringify(value, null, 2));
  expect(shown).toContain('👩\\u200d👧 \\u202e\\udb40\\udc41');
  expect(JSON.parse(shown)).toEqual(value);
});
