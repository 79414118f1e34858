/** How a status is to be taken. It is always said in words as well: colour alone says nothing to some. */
export type Tone = 'good' | 'bad' | 'waiting' | 'quiet';

export interface Word {
  readonly text: string;
  readonly tone: Tone;
}

const DELIVERIES: Readonly<Record<string, Word>> = {
  pending: { text: 'pending', tone: 'waiting' },
  retrying: { text: 'retrying', tone: 'waiting' },
  delivered: { text: 'delivered', tone: 'good' },
  dead_lettered: { text: 'dead-lettered', tone: 'bad' },
  cancelled: { text: 'cancelled', tone: 'quiet' },
};

const BREAKERS: Readonly<Record<string, Word>> = {
  closed: { text: 'closed', tone: 'good' },
  open: { text: 'open: nothing is sent', tone: 'bad' },
  half_open: { text: 'half open: one probe', tone: 'waiting' },
  ramping: { text: 'ramping up', tone: 'waiting' },
};

const REPLAYS: Readonly<Record<string, Word>> = {
  pending: { text: 'pending', tone: 'waiting' },
  running: { text: 'running', tone: 'waiting' },
  completed: { text: 'completed', tone: 'good' },
  cancelled: { text: 'cancelled', tone: 'quiet' },
};

const CONSUMERS: Readonly<Record<string, Word>> = {
  starting: { text: 'starting', tone: 'waiting' },
  running: { text: 'running', tone: 'good' },
  paused: { text: 'paused', tone: 'quiet' },
  waiting: { text: 'waiting', tone: 'waiting' },
  failing: { text: 'failing', tone: 'bad' },
};

/** A status that a newer API has and this page does not know is shown as it is. */
const wordOf = (known: Readonly<Record<string, Word>>, name: string): Word =>
  (Object.hasOwn(known, name) ? known[name] : undefined) ?? { text: name, tone: 'quiet' };

export const deliveryWord = (status: string): Word => wordOf(DELIVERIES, status);
export const breakerWord = (state: string): Word => wordOf(BREAKERS, state);
export const replayWord = (state: string): Word => wordOf(REPLAYS, state);
export const consumerWord = (state: string): Word => wordOf(CONSUMERS, state);

export function endpointWord({ enabled, disabled_reason }: { enabled: boolean; disabled_reason: string | null }): Word {
  if (enabled) return { text: 'enabled', tone: 'good' };
  return { text: disabled_reason === null ? 'disabled' : `disabled: ${disabled_reason}`, tone: 'bad' };
}

/** Of an attempt: `rejected (500)`. */
export function outcomeWord({ outcome, status }: { outcome: string; status: number | null }): Word {
  const text = status === null ? outcome : `${outcome} (${status})`;
  if (outcome === 'delivered') return { text, tone: 'good' };
  return { text, tone: outcome === 'skipped' ? 'quiet' : 'bad' };
}

/** Of a source as a whole: one consumer that fails is what matters, then one that does not run yet. */
export function sourceWord(source: { paused: boolean; consumers: readonly { readonly state: string }[] }): Word {
  if (source.paused) return consumerWord('paused');
  const states = source.consumers.map(({ state }) => state);
  const worst = ['failing', 'waiting', 'starting'].find((state) => states.includes(state)) ?? states[0];
  return worst === undefined ? { text: 'taken in by no process', tone: 'bad' } : consumerWord(worst);
}
