import { expect, test } from 'vitest';
import { isMediaType } from './media-type.ts';

test('parameters of a media type may be empty', () => {
  for (const text of ['text/xml', 'text/xml;', 'text/xml ;; ', 'text/xml;;charset=utf-8;', 'text/xml; a="b;c" ;'])
    expect([text, isMediaType(text)]).toEqual([text, true]);
  for (const text of [
    'text',
    'text/xml charset=utf-8',
    'text/xml; charset',
    'text/xml; =x',
    'text/xml; a="b',
    'text/xml,',
  ])
    expect([text, isMediaType(text)]).toEqual([text, false]);
});
