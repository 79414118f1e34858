/** In the reader's zone and by the reader's customs; `2024-03-14 10:30:00` cannot be mistaken for another day. */
export function localTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The reader's zone at that time: `GMT+1`. */
export function zoneOf(time: Date): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' }).formatToParts(time);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** What a field for a date and time holds, in the reader's zone, as the API takes it; undefined where it is empty or none. */
export function isoTime(field: string): string | undefined {
  const time = new Date(field);
  return field === '' || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** The other way round: `2024-03-14T10:30:00`, in the reader's zone. */
export function fieldTime(iso: string | undefined): string {
  return iso === undefined || Number.isNaN(Date.parse(iso)) ? '' : localTime(iso).replace(' ', 'T');
}

/** 0.9987 is `99.87 %`: not rounded up to a hundred, which would be a lie. */
export function percent(share: number | null): string {
  if (share === null) return '–';
  // 0.57 is a little less in a double.
  return `${Math.floor(share * 10_000 + 1e-6) / 100} %`;
}

export function milliseconds(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 10_000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @param isCapped whether counting ended there, and there may be more */
export function count(value: number, isCapped = false): string {
  return `${value.toLocaleString('en')}${isCapped ? ' or more' : ''}`;
}

/** Of a retry schedule: `5 s`, `30 min`, `2 h`. */
export function span(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds >= 60 && seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}
