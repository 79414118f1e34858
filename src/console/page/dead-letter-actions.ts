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
  const { isFiltered, what } = wordsFor(filter);
  const redrive = async () => {
    const text = await api.call('POST', ['tenants', tenant, 'dead-letters', 'redrive'], { body: filter });
    const goTo = hashOf(['tenants', tenant, 'replays', (JSON.parse(text) as Replay).id]);
    return { text: 'The dead letters are queued.', goTo };
  };
  const title = isFiltered
    ? `Redrive all of ${tenant} that pass the filter?`
    : `Redrive all dead letters of ${tenant}?`;
  const question = { title, detail: 'Each is delivered again, behind live traffic.', yes: 'Redrive all' };
  return button(`Redrive ${what} …`, 'redrive-all', () => act(redrive, question));
}

/** Gives up all that pass the filter. One call takes so many only. */
export function purgeAll({ api, act }: Opening, tenant: string, filter: DeadLetterFilter): HTMLButtonElement {
  const { isFiltered, what } = wordsFor(filter);
  const purge = async () => {
    let purged = 0;
    let isComplete = false;
    while (!isComplete) {
      const body = isFiltered ? filter : { all: true };
      const text = await api.call('POST', ['tenants', tenant, 'dead-letters', 'purge'], { body });
      const part = JSON.parse(text) as { purged: number; complete: boolean };
      purged += part.purged;
      isComplete = part.complete;
    }
    return `${count(purged)} dead letters are given up.`;
  };
  const title = isFiltered ? `Purge all of ${tenant} that pass the filter?` : `Purge all dead letters of ${tenant}?`;
  const question = { title, detail: 'They become cancelled, and no redrive finds them any more.', yes: 'Purge all' };
  return button(`Purge ${what} …`, 'purge-all', () => act(purge, question));
}

function wordsFor(filter: DeadLetterFilter): { isFiltered: boolean; what: string } {
  const isFiltered = Object.keys(filter).length > 0;
  return { isFiltered, what: isFiltered ? 'all that pass the filter' : 'all dead letters of the tenant' };
}
