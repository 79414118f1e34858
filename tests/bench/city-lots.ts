import { readFilter } from '../../src/routing/read-filter.ts';

/**
 * The shape of event-ruler's own benchmark: 213,068 features of San Francisco's city lots, GeoJSON of about 900 bytes, against five
 * filters of each operator. The lots here are made up; the filters ask for about as much as theirs.
 */
export const CITY_LOTS = 213_068;

const STREETS = ['UNKNOWN', 'MISSION', 'VALENCIA', 'GRANT', 'GEARY', 'BRODERICK', 'FRANKLIN', '01ST', 'MARKET', 'PINE'];
const KINDS = ['ST', 'AVE', 'BLVD', 'WAY', 'CT', null];

export function cityLot(n: number): string {
  // The same lots each time: spread by a multiplier that has nothing in common with anything.
  const r = (salt: number, most: number) => (Math.imul(n + salt * 7919, 2654435761) >>> 8) % most;
  const place = (i: number) => [-122.4 - r(i, 10_000) / 100_000, 37.7 + r(i + 50, 10_000) / 100_000, 0];
  return JSON.stringify({
    type: 'Feature',
    properties: {
      MAPBLKLOT: `${String(r(1, 9000)).padStart(4, '0')}${String(r(2, 300)).padStart(3, '0')}`,
      BLKLOT: `${String(r(1, 9000)).padStart(4, '0')}${String(r(2, 300)).padStart(3, '0')}`,
      BLOCK_NUM: String(r(1, 9000)).padStart(4, '0'),
      LOT_NUM: String(r(2, 300)).padStart(3, '0'),
      FROM_ST: String(r(3, 3000)),
      TO_ST: String(r(3, 3000)),
      STREET: STREETS[r(4, STREETS.length)],
      ST_TYPE: KINDS[r(5, KINDS.length)],
      ODD_EVEN: r(6, 2) === 0 ? 'E' : 'O',
    },
    geometry: { type: 'Polygon', coordinates: [Array.from({ length: 4 + r(7, 12) }, (_, i) => place(i + 8))] },
  });
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
    { geometry: { coordinates: [{ numeric: ['=', -122.42860896096424] }] } },
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
    { geometry: { type: ['Polygon'], coordinates: [{ numeric: ['=', -122.42860896096424] }] } },
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
