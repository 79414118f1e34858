import { readFilter } from '../../src/routing/read-filter.ts';

/**
 * The shape of event-ruler's own benchmark: 213,068 features of San Francisco's city lots, GeoJSON of about 900 bytes, against five
 * filters of each operator, which some of them match. The lots here are made up.
 */
export const CITY_LOTS = 213_068;

/** Streets, and how many of all the lots are in each; the others are in `OTHERS`. */
const STREETS: readonly (readonly [string, number])[] = [
  ['ACADIA', 24],
  ['BLANCHE', 442],
  ['DRUMM', 38],
  ['FULTON', 2_387],
  ['RHINE', 328],
  ['JEFFERSON', 131],
  ['BEACH', 211],
  ['HYDE', 1_758],
  ['CHESTNUT', 825],
  ['GEARY', 2_400],
  ['LAKE', 871],
  ['DEMING', 1_963],
  ['SANTIAGO', 682],
  ['MASON', 2_600],
  ['MISSION', 12_900],
  ['J', 90],
];
const OTHERS = ['UNKNOWN', 'VALENCIA', 'GRANT', 'BRODERICK', 'FRANKLIN', '01ST', 'MARKET', 'PINE', 'NORIEGA', '25TH'];
const KINDS = ['ST', 'AVE', 'BLVD', 'WAY', 'CT', null];

/** Lots that filters ask for by name, and every how many lots there is one. */
const NAMED: readonly (readonly [string, number])[] = [
  ['VACSTWIL', CITY_LOTS],
  ['1430022', 100_000],
  ['2607218', 6_000],
  ['2607117', 2_100],
  ['3745012', 325],
];
const SOUGHT_LONGITUDE = -122.42860896096424;
const SOUGHT_EVERY = 25_000;

export function cityLot(n: number): string {
  // The same lots each time: spread by a multiplier that has nothing in common with anything.
  const r = (salt: number, most: number) => (Math.imul(n + salt * 7919, 2654435761) >>> 8) % most;
  const degrees = (from: number, salt: number) => from + r(salt, 15_000) / 100_000 + r(salt + 60, 10_000_000) / 1e13;
  const place = (i: number) => [-degrees(122.36, i), degrees(37.7, i + 30), 0];
  const [block, lot] = [String(r(1, 9_000)).padStart(4, '0'), String(r(2, 300)).padStart(3, '0')];
  const name = NAMED.find(([, every]) => n % every === every - 1)?.[0] ?? block + lot;
  const outline = Array.from({ length: 8 + r(7, 14) }, (_, i) => place(i + 8));
  if (n % SOUGHT_EVERY === SOUGHT_EVERY - 1) outline[0]![0] = SOUGHT_LONGITUDE;
  return JSON.stringify({
    type: 'Feature',
    properties: {
      MAPBLKLOT: name,
      BLKLOT: name,
      BLOCK_NUM: name.slice(0, 4),
      LOT_NUM: name.slice(4),
      FROM_ST: String(r(3, 3000)),
      TO_ST: String(r(3, 3000)),
      STREET: streetOf(r(4, CITY_LOTS), r(9, OTHERS.length)),
      ST_TYPE: KINDS[r(5, KINDS.length)],
      ODD_EVEN: r(6, 2) === 0 ? 'E' : 'O',
    },
    // The outline ends where it begins.
    geometry: { type: 'Polygon', coordinates: [[...outline, outline[0]]] },
  });
}

/** @param place one of as many as there are lots */
function streetOf(place: number, other: number): string | undefined {
  let left = place;
  for (const [name, lots] of STREETS) {
    if (left < lots) return name;
    left -= lots;
  }
  return OTHERS[other];
}

const properties = (field: string, conditions: readonly unknown[]) =>
  conditions.map((condition) => ({ properties: { [field]: [condition] } }));

/** Five filters of each operator. */
export const cityFilters: Readonly<Record<string, readonly unknown[]>> = {
  exact: properties('MAPBLKLOT', ['1430022', '2607117', '2607218', '3745012', 'VACSTWIL']),
  wildcard: properties(
    'MAPBLKLOT',
    ['143*', '2*0*1*7', '*218', '3745*', '*VAC*'].map((wildcard) => ({ wildcard })),
  ),
  prefix: properties(
    'STREET',
    ['AC', 'BL', 'DR', 'FU', 'RH'].map((prefix) => ({ prefix })),
  ),
  suffix: properties(
    'STREET',
    ['ON', 'KE', 'MM', 'ING', 'GO'].map((suffix) => ({ suffix })),
  ),
  'equals-ignore-case': properties(
    'STREET',
    ['jefferson', 'bEaCh', 'HyDe', 'CHESTNUT', 'geary'].map((text) => ({ 'equals-ignore-case': text })),
  ),
  numeric: [
    { geometry: { coordinates: [{ numeric: ['=', SOUGHT_LONGITUDE] }] } },
    { geometry: { coordinates: [{ numeric: ['<', -122.49] }] } },
    { geometry: { coordinates: [{ numeric: ['>', 37.7991] }] } },
    { geometry: { coordinates: [{ numeric: ['>', 37.75, '<', 37.7501] }] } },
    { geometry: { coordinates: [{ numeric: ['>=', -122.41, '<=', -122.4099] }] } },
  ],
  'anything-but': properties(
    'STREET',
    [['FULTON'], ['MASON'], ['J'], ['FRANKLIN'], ['01ST', 'PINE', 'GRANT']].map((text) => ({ 'anything-but': text })),
  ),
  'complex arrays': [
    { geometry: { type: ['Polygon'], coordinates: [{ numeric: ['=', SOUGHT_LONGITUDE] }] } },
    { properties: { STREET: ['FULTON'] }, geometry: { coordinates: [{ numeric: ['>', 37.799] }] } },
    { geometry: { type: ['Polygon'], coordinates: [{ numeric: ['<', -122.499] }, { numeric: ['>', 37.799] }] } },
    { geometry: { coordinates: [{ 'anything-but': 0 }] }, properties: { ODD_EVEN: ['E'], ST_TYPE: [null] } },
    { geometry: { coordinates: [{ numeric: ['>', 37.7, '<', 37.701] }] }, properties: { STREET: [{ prefix: 'M' }] } },
  ],
};

export function clausesOf(filter: unknown) {
  const reading = readFilter(filter);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return reading.clauses;
}
