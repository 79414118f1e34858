import type { GateNews } from '../delivery/gate.ts';
import type { Desk } from './desk.ts';
import { gateNotice } from './gate-notice.ts';

type OnGateNews = (news: GateNews, tenantId: string, endpointId: string) => void;

/** Tells what gates have done: to the process at once, and to the endpoint's tenant by a notice, which is saved together with the gate. */
export class GateNewsTeller {
  readonly #onGateNews: OnGateNews;
  /** How many notices there were so far. Not counted by desk: a desk that is forgotten and comes again must not repeat a number. */
  #noticed = 0;

  constructor(onGateNews: OnGateNews) {
    this.#onGateNews = onGateNews;
  }

  /** @param isOfSystemEvent whether the delivery of a system event brought the news */
  tell(news: GateNews, desk: Desk, isOfSystemEvent: boolean): void {
    const notice = gateNotice(news, desk, isOfSystemEvent);
    if (notice !== null) desk.notices.push({ ...notice, number: ++this.#noticed });
    this.#onGateNews(news, desk.target!.tenantId, desk.target!.id);
  }
}
