import { parseIp } from '../routing/ip-network.ts';

/** What `format` may say, and the texts that are of it. All are checked in time linear in the text. */
export const formats: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => {
    const [, date = '', time = ''] = /^(.{10})[Tt ](.{9,25})$/.exec(text) ?? [];
    return isDate(date) && TIME.test(time);
  },
  date: isDate,
  time: (text) => text.length <= 25 && TIME.test(text),
  email: (text) =>
    text.length <= 320 && /^[^\s@"(),:;<>[\\\]]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(text),
  uri: (text) => text.length <= 8192 && /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(text) && URL.canParse(text),
  uuid: (text) => text.length === 36 && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
  ipv4: (text) => parseIp(text)?.length === 2,
  ipv6: (text) => parseIp(text)?.length === 8,
};

/** RFC 3339, `full-time`. */
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339, `full-date`. */
function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return false;
  const [year, month, day] = parts as [number, number, number];
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
