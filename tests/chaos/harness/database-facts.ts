import pg from 'pg';

/** The database as a third witness. Rows come one at a time, however many there are. */
export interface DatabaseFacts {
  events(): AsyncIterable<EventFact>;
  attempts(): AsyncIterable<AttemptFact>;
  waiting(): AsyncIterable<WaitingFact>;
}

/** A stored event of the load. `event` is its number, from its data. */
export interface EventFact {
  readonly event: number;
  readonly id: Buffer;
}

export interface AttemptFact {
  readonly event: number;
  /** Place of the endpoint in the play's list. */
  readonly endpoint: number;
  readonly attempt: number;
  readonly decision: number;
  /** Null when no answer came. */
  readonly status: number | null;
}

export interface WaitingFact {
  readonly event: number;
  readonly endpoint: number;
}

const WAITING = `SELECT event_id, endpoint_num FROM mailbox
  UNION ALL SELECT event_id, unnest(endpoints[next + 1:]) FROM expansions`;
const PAGE = 10_000;
// Events without a number, such as those that the service makes itself, are nobody's in the history.
const NUMBER = `coalesce((convert_from(e.body, 'UTF8')::jsonb -> 'data' ->> 'n')::int, -1)`;

/**
 * Reads everything in one snapshot, so that what moves on meanwhile contradicts nothing.
 * @param endpointIds ids in the order of the play's list; what belongs to other endpoints has the place -1
 */
export async function withDatabaseFacts(
  databaseUrl: string,
  endpointIds: readonly string[],
  use: (facts: DatabaseFacts) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const place = `coalesce(array_position($1::text[], p.id), 0) - 1`;
  const of = (table: string) =>
    `FROM ${table} t JOIN events e ON e.id = t.event_id JOIN endpoints p ON p.num = t.endpoint_num WHERE e.type LIKE 'load.%'`;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await use({
      events: () =>
        rowsOf(client, `SELECT ${NUMBER} AS event, uuid_send(e.id) AS id FROM events e WHERE e.type LIKE 'load.%'`, []),
      attempts: () =>
        rowsOf(
          client,
          `SELECT ${NUMBER} AS event, ${place} AS endpoint, t.attempt, t.decision, t.status ${of('attempts')}`,
          [endpointIds],
        ),
      waiting: () =>
        rowsOf(client, `SELECT ${NUMBER} AS event, ${place} AS endpoint ${of(`(${WAITING})`)}`, [endpointIds]),
    });
  } finally {
    await client.end();
  }
}

async function* rowsOf<T>(client: pg.Client, text: string, values: unknown[]): AsyncGenerator<T> {
  await client.query(`DECLARE facts NO SCROLL CURSOR FOR ${text}`, values);
  for (;;) {
    const { rows } = await client.query(`FETCH ${PAGE} FROM facts`);
    if (rows.length === 0) break;
    yield* rows as T[];
  }
  await client.query('CLOSE facts');
}
