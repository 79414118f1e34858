import type { History } from './history.ts';
import type { Route } from './routes.ts';

/** Gives every delivery that must exist, an event to an endpoint, a place in the tally's arrays. */
export class Slots {
  readonly size: number;
  readonly #history: History;
  readonly #routes: readonly Route[];
  readonly #starts: Uint32Array;
  readonly #places: readonly ReadonlyMap<number, number>[];

  constructor(history: History, routes: readonly Route[]) {
    this.#history = history;
    this.#routes = routes;
    this.#places = routes.map(({ endpoints }) => new Map(endpoints.map((endpoint, place) => [endpoint, place])));
    this.#starts = new Uint32Array(history.count + 1);
    for (let event = 0; event < history.count; event++)
      this.#starts[event + 1] = this.#starts[event]! + this.endpointsOf(event).length;
    this.size = this.#starts[history.count]!;
  }

  /** The endpoints that the event is for. */
  endpointsOf(event: number): readonly number[] {
    return this.#routes[this.#history.routeOf(event)]!.endpoints;
  }

  /** -1 when nobody posted the event, or it is not for the endpoint. */
  find(event: number, endpoint: number): number {
    if (event < 0 || event >= this.#history.count) return -1;
    const place = this.#places[this.#history.routeOf(event)]!.get(endpoint);
    return place === undefined ? -1 : this.#starts[event]! + place;
  }
}
