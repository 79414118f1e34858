/** What may stand in `{"…": }` inside a field's array. */
export const OPERATORS: readonly string[] = [
  'exactly',
  'prefix',
  'suffix',
  'equals-ignore-case',
  'wildcard',
  'anything-but',
  'numeric',
  'exists',
  'cidr',
];

/** Names that cannot be fields directly inside `$or`: the operators, and those that event-ruler keeps for its future. */
export const RESERVED_NAMES: readonly string[] = [
  ...OPERATORS,
  ...['=', '<', '<=', '>', '>='],
  ...['regex', 'not-wildcard', 'not-equals-ignore-case'],
  ...['date-after', 'date-on-or-after', 'date-before', 'date-on-or-before', 'in-date-range'],
  ...['ip-address-in-range', 'ip-address-not-in-range'],
];
