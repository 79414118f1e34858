import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NewEvent } from './api.ts';
import { accepts, problem } from './fixtures/fake-server.ts';
import { settled, startClient } from './fixtures/sending.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
const AMOUNTS = '[12345678901234567891,1.0,-0,1e400,0.1,7]';
const TEXT = `{"type":"a","id":"e","data":{"amounts":${AMOUNTS}}}`;

/** A client whose key is refused at first. */
const startRefused = () => startClient((request, i) => (i === 0 ? problem(401, 'unauthorized') : accepts(request)));

test('what is undecided is sent again to the digit', async () => {
  const { client, texts } = startRefused();
  const amounts = rawJSON(AMOUNTS.slice(1).split(',')[0]!);
  const { error } = await settled(client.send([{ type: 'a', data: { amounts, rate: rawJSON('1.0'), n: 0.1 } }]));
  expect(error?.undecided).toHaveLength(1);
  await settled(client.send(error!.undecided));
  expect(texts()[1]).toBe(texts()[0]);
  expect(texts()[0]).toContain('{"amounts":12345678901234567891,"rate":1.0,"n":0.1}');
});

test('the text of an outcome is what was sent, and is sent again as it is', async () => {
  const { client, texts } = startRefused();
  const { error } = await settled(client.sendTexts([TEXT, ` {"data":"\\u00e9\\/",\n"type":"b"}\n`]));
  const kept = error!.outcomes.map(({ text }) => text);
  const { value } = await settled(client.sendTexts(kept));
  expect(texts()[1]).toBe(texts()[0]);
  expect(texts()[0]).toMatch(/^\[.*,\{"data":"\\u00e9\\\/",\n"type":"b","id":"[0-9a-f-]{36}"\}\]$/s);
  expect(kept[0]).toBe(TEXT);
  expect(value?.map(({ status, text }) => [status, text])).toEqual(kept.map((text) => ['accepted', text]));
  expect(JSON.stringify(error!.undecided[0])).toBe(TEXT);
});

test('where the runtime does not keep digits, the text does', async () => {
  vi.stubGlobal('JSON', { parse: (text: string) => JSON_PARSE(text), stringify: JSON.stringify });
  const { client, texts } = startRefused();
  const { error } = await settled(client.sendTexts([TEXT]));
  expect(error?.outcomes[0]).toMatchObject({
    event: { data: { amounts: [12345678901234567000, 1, -0, Infinity, 0.1, 7] } },
  });
  await settled(client.sendTexts(error!.outcomes.map(({ text }) => text)));
  expect(texts()).toEqual([TEXT, TEXT]);
});

const JSON_PARSE = JSON.parse;

test.each([
  ['no JSON', '{"type":"a",'],
  ['no object', '[]'],
  ['half of a character', '{"type":"a","data":"\ud800"}'],
  ['no text', { type: 'a', data: {} } as NewEvent as unknown as string],
])('%s is a TypeError that says which event, before anything is sent', async (_, bad) => {
  const { client, requests } = startClient(accepts);
  const { error } = await settled(client.sendTexts([TEXT, bad]));
  expect(error).toBeInstanceOf(TypeError);
  expect(error?.message).toMatch(/^Event 1 is no /);
  expect(requests).toEqual([]);
});
