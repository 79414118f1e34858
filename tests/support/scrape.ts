/** One line of Prometheus's text format 0.0.4. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What `/metrics` said. */
export interface Scrape {
  readonly samples: readonly Sample[];
  readonly contentType: string;
  /** The sum of the samples of this name that have these labels; 0 without any. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  has(name: string): boolean;
}

/** Scrapes a process as Prometheus does, without a key. @throws Error for a line that is not of the format */
export async function scrape(baseUrl: string): Promise<Scrape> {
  const answer = await fetch(`${baseUrl}/metrics`);
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}.`);
  const samples = parse(await answer.text());
  const matching = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  return {
    samples,
    contentType: answer.headers.get('content-type') ?? '',
    sum: (name, labels) => matching(name, labels).reduce((sum, { value }) => sum + value, 0),
    has: (name) => matching(name).length > 0,
  };
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|[+-]Inf|NaN)$/;

function parse(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const kinds = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const [, typed, kind] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (typed !== undefined) kinds.set(typed, kind!);
    else samples.push(sampleOf(line, kinds));
  }
  return samples;
}

function sampleOf(line: string, kinds: ReadonlyMap<string, string>): Sample {
  const [, name, labels = '', value] = LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`Not a line of the format: ${line}`);
  if (!kinds.has(name) && kinds.get(name.replace(/_(bucket|sum|count)$/, '')) !== 'histogram')
    throw new Error(`A sample without its type: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g)].map(([, label, text]) => [label!, text!] as const);
  return { name, labels: Object.fromEntries(pairs), value: Number(value!.replace('Inf', 'Infinity')) };
}
