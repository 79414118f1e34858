/** An endpoint of a play, known by its place in the list. */
export interface RoutedEndpoint {
  readonly tenant: string;
  /** Gets the events of this group alone; without it, all events of its tenant. */
  readonly group?: string;
}

/** A kind of event that the load sends, and which endpoints each such event is for. */
export interface Route {
  readonly tenant: string;
  /** `load.<group>`. */
  readonly type: string;
  readonly endpoints: readonly number[];
}

const EVERYONE = 'all';

/** One route for each group of each tenant, or one for the tenant when none of its endpoints has a group. */
export function routesOf(endpoints: readonly RoutedEndpoint[]): Route[] {
  const kinds = new Set(endpoints.map(({ tenant, group = EVERYONE }) => `${tenant}\t${group}`));
  const grouped = new Set(endpoints.filter(({ group }) => group !== undefined).map(({ tenant }) => tenant));
  return [...kinds]
    .map((kind) => kind.split('\t') as [string, string])
    .filter(([tenant, group]) => group !== EVERYONE || !grouped.has(tenant))
    .map(([tenant, group]) => ({
      tenant,
      type: typeOf(group),
      endpoints: [...endpoints.keys()].filter((index) => {
        const endpoint = endpoints[index]!;
        return endpoint.tenant === tenant && (endpoint.group === undefined || endpoint.group === group);
      }),
    }));
}

export function subscriptionsOf({ group }: Pick<RoutedEndpoint, 'group'>): { types: string[] }[] {
  return [{ types: [group === undefined ? 'load.*' : typeOf(group)] }];
}

function typeOf(group: string): string {
  return `load.${group}`;
}
