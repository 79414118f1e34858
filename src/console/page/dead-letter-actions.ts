import type { Replay } from '../logic/api-shapes.ts';
import { count } from '../logic/format.ts';
import { hashOf } from '../logic/place.ts';
import { button } from './element.ts';
import type { Opening } from './view.ts';

/** What dead letters are picked by, for the list and for a redrive alike. */
export interface DeadLetterFilter {
  readonly endpoint_id?: string;
  readonly reason?: string;
}

export function redriveOne({ api, act }: Opening, tenant: string, id: string): HTMLElement {
  const again = button('Redrive', `redrive-${id}`, () =>
    act(async () => {
      await api.call('POST', ['tenants', tenant, 'dead-letters', 'redrive'], { body: { delivery_ids: [id] } });
      return `${id} is queued, if it is still a dead letter.`;
    }),
  );
  again.setAttribute('aria-label', `Redrive ${id}`);
  return again;
}

/** Redrives all that pass the filter. */
export function redriveAll({ api, act }: Opening, tenant: string, filter: DeadLetterFilter): HTMLButtonElement {
  const redrive = async () => {
    const text = await api.call('POST', ['tenants', tenant, 'dead-letters', 'redrive'], { body: filter });
    const goTo = hashOf(['tenants', tenant, 'replays', (JSON.parse(text) as Replay).id]);
    return { text: 'The dead letters are queued.', goTo };
  };
  const title = `Redrive all dead letters of ${tenant}${wordsOf(filter)}?`;
  const question = { title, detail: 'Each is delivered again, behind live traffic.', yes: 'Redrive all' };
  return button(`Redrive all${wordsOf(filter)} …`, 'redrive-all', () => act(redrive, question));
}

/** Gives up all that pass the filter. One call takes so many only, and the next goes on where it stopped. */
export function purgeAll({ api, act }: Opening, tenant: string, filter: DeadLetterFilter): HTMLButtonElement {
  const path = ['tenants', tenant, 'dead-letters', 'purge'];
  const purge = async (isWanted: () => boolean) => {
    // Not what comes while it runs.
    const body = { ...filter, until: new Date().toISOString() };
    let purged = 0;
    let next: string | null | undefined;
    while (next !== null && isWanted()) {
      const from = next === undefined ? body : { ...body, cursor: next };
      const answer = await api.call('POST', path, { body: from }).catch((error: unknown) => {
        throw purged === 0 ? error : new Error(`After ${count(purged)} were given up: ${(error as Error).message}`);
      });
      const part = JSON.parse(answer) as { purged: number; complete: boolean; next?: string | null };
      purged += part.purged;
      // A process of the version before says no place to go on from, and begins each call anew.
      next = part.complete ? null : part.next;
    }
    return next === null ? `Given up: ${count(purged)}.` : `Given up: ${count(purged)}. The rest is left.`;
  };
  const title = `Purge all dead letters of ${tenant}${wordsOf(filter)}?`;
  const question = { title, detail: 'They become cancelled, and no redrive finds them any more.', yes: 'Purge all' };
  return button(`Purge all${wordsOf(filter)} …`, 'purge-all', () => act(purge, question));
}

function wordsOf({ endpoint_id, reason }: DeadLetterFilter): string {
  const reasons = reason === undefined ? '' : ` with the reason ${reason}`;
  return endpoint_id === undefined ? reasons : `${reasons} to ${endpoint_id}`;
}
