/** What one line of a panel shows, and how it is called there. */
type Query = readonly [expr: string, legend: string];

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const RATE = '[$__rate_interval]';
const rate = (metric: string, by = '') => `sum${by === '' ? '' : ` by (${by})`} (rate(${metric}${RATE}))`;
const quantiles = (metric: string): readonly Query[] =>
  [0.5, 0.9, 0.99].map((q) => [
    `histogram_quantile(${q}, sum by (le) (rate(posthorn_${metric}_bucket${RATE})))`,
    `p${q * 100}`,
  ]);

/** What an operator wants to see first stands above. */
export const ROWS: readonly Row[] = [
  {
    title: 'Is it well?',
    panels: [
      {
        title: 'Late',
        description:
          'How long deliveries have waited that no worker holds, and for how long workers keep some waiting. Over some seconds: too few workers, or none. Longest due counts what waits for limits of its endpoint, too.',
        unit: 's',
        queries: [
          ['max(posthorn_installation_unowned_due_age_seconds)', 'held by nobody'],
          ['max(posthorn_late_seconds)', 'kept waiting'],
          ['max(posthorn_draining_seconds)', 'in a lane that is given back'],
          ['max(posthorn_installation_due_age_seconds)', 'longest due'],
        ],
      },
      {
        title: 'Waiting',
        description:
          'Deliveries that are still to be made: those of closed endpoints, retries and ordered ones among them.',
        unit: 'short',
        queries: [
          ['max(posthorn_installation_mailbox_rows)', 'deliveries'],
          ['max(posthorn_installation_expansions_waiting)', 'to be written'],
          ['max(posthorn_installation_notices_waiting)', 'notices'],
        ],
      },
      {
        title: 'Closed endpoints',
        description:
          'Endpoints whose circuit breaker is open, and deliveries that are set aside because their workers died.',
        unit: 'short',
        queries: [
          ['max(posthorn_installation_breakers_open)', 'breakers open'],
          ['max(posthorn_installation_deliveries_set_aside)', 'set aside'],
        ],
      },
    ],
  },
  {
    title: 'In',
    panels: [
      {
        title: 'Events',
        description: 'Events that were stored, and those that were known already.',
        unit: 'ops',
        queries: [
          [rate('posthorn_events_accepted_total'), 'accepted'],
          [rate('posthorn_events_duplicate_total'), 'duplicates'],
          [rate('posthorn_source_messages_total', 'type, outcome'), '{{type}} {{outcome}}'],
        ],
      },
      {
        title: 'Refused',
        description:
          'Requests of producers that were refused, by the code of the problem (docs/errors.md), and messages of sources that are no events.',
        unit: 'ops',
        queries: [
          [rate('posthorn_ingest_requests_refused_total', 'code'), '{{code}}'],
          [rate('posthorn_source_messages_rejected_total', 'reason'), 'source: {{reason}}'],
          [rate('posthorn_commit_failed_events_total'), 'events not stored'],
        ],
      },
      {
        title: 'Group commit',
        description: 'Time of the statement that stores events and their deliveries.',
        unit: 's',
        queries: quantiles('commit_duration_seconds'),
      },
    ],
  },
  {
    title: 'Out',
    panels: [
      {
        title: 'Attempts',
        description: 'Attempts by outcome.',
        unit: 'ops',
        queries: [[rate('posthorn_attempts_total', 'outcome'), '{{outcome}}']],
      },
      {
        title: 'Failures',
        description: 'Why receivers were not reached, and what was given up.',
        unit: 'ops',
        queries: [
          [rate('posthorn_attempts_unreachable_total', 'reason'), '{{reason}}'],
          [rate('posthorn_dead_letters_total'), 'dead letters'],
          [rate('posthorn_endpoint_changes_total', 'kind'), '{{kind}}'],
        ],
      },
      {
        title: 'Accepted to delivered',
        description: 'Retries included: a receiver that fails for an hour shows here.',
        unit: 's',
        queries: quantiles('delivery_latency_seconds'),
      },
      {
        title: 'Requests to receivers',
        description: 'From DNS to the end of the answer.',
        unit: 's',
        queries: quantiles('attempt_duration_seconds'),
      },
      {
        title: 'Under way',
        description: 'Requests to receivers, and deliveries in the memory of workers.',
        unit: 'short',
        queries: [
          ['sum(posthorn_requests_in_flight)', 'requests'],
          ['sum(posthorn_deliveries_held)', 'deliveries in memory'],
          ['sum(posthorn_attempts_unsettled)', 'not written down yet'],
        ],
      },
      {
        title: 'Lanes',
        description:
          'Lanes that each worker holds. They are shared out by load; all are free when there is nothing to do.',
        unit: 'short',
        queries: [
          ['posthorn_lanes_owned', '{{instance}}'],
          ['max(posthorn_installation_lanes_crashed)', 'crashed'],
        ],
      },
    ],
  },
  {
    title: 'Processes',
    panels: [
      {
        title: 'CPU',
        description: 'Cores. One process has little use for more than one and a half.',
        unit: 'short',
        queries: [[`rate(posthorn_process_cpu_seconds_total${RATE})`, '{{instance}}']],
      },
      {
        title: 'Memory',
        description: 'Resident.',
        unit: 'bytes',
        queries: [['posthorn_process_resident_memory_bytes', '{{instance}}']],
      },
      {
        title: 'Event loop',
        description: 'By how much timers come too late, p99.',
        unit: 's',
        queries: [['posthorn_event_loop_delay_seconds{quantile="0.99"}', '{{instance}}']],
      },
      {
        title: 'Postgres',
        description: 'Time of the statements that fetch deliveries and write attempts down, p99.',
        unit: 's',
        queries: ['fetch', 'settle'].map((kind) => [
          `histogram_quantile(0.99, sum by (le) (rate(posthorn_${kind}_duration_seconds_bucket${RATE})))`,
          kind,
        ]),
      },
      {
        title: 'Connections',
        description: 'Connections to Postgres by pool, and statements that wait for one.',
        unit: 'short',
        queries: [
          ['sum by (pool) (posthorn_postgres_connections{state="total"})', '{{pool}}'],
          ['sum by (pool) (posthorn_postgres_connections_waited_for)', '{{pool}}: waited for'],
        ],
      },
      {
        title: 'Troubles',
        description: 'Failures of work that is tried again, workers that were found dead, errors of the queues.',
        unit: 'ops',
        queries: [
          [rate('posthorn_work_failures_total', 'work'), '{{work}}'],
          [rate('posthorn_workers_gone_total'), 'workers gone'],
          [rate('posthorn_queue_failures_total'), 'queues'],
        ],
      },
    ],
  },
];

const WIDTH = 24;
const COLUMNS = 3;
const PANEL = { w: WIDTH / COLUMNS, h: 8 };

/** The dashboard of `deploy/grafana`, as Grafana 9 or later imports it. It asks for the Prometheus to read from. */
export function grafanaDashboard(): string {
  const datasource = { type: 'prometheus', uid: '$datasource' };
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    });
    y += 1;
    for (const [i, { title, description, unit, queries }] of row.panels.entries()) {
      const gridPos = { x: (i % COLUMNS) * PANEL.w, y: y + Math.floor(i / COLUMNS) * PANEL.h, ...PANEL };
      const targets = queries.map(([expr, legendFormat], at) => ({
        refId: String.fromCharCode(65 + at),
        datasource,
        expr,
        legendFormat,
      }));
      const fieldConfig = {
        defaults: { unit, min: 0, custom: { fillOpacity: 10, showPoints: 'never' } },
        overrides: [],
      };
      panels.push({
        id: panels.length + 1,
        type: 'timeseries',
        title,
        description,
        datasource,
        gridPos,
        fieldConfig,
        targets,
      });
    }
    y += Math.ceil(row.panels.length / COLUMNS) * PANEL.h;
  }
  const dashboard = {
    uid: 'posthorn',
    title: 'Posthorn',
    description: 'Webhook deliveries of one installation. Made by scripts/grafana-dashboard.ts.',
    tags: ['posthorn'],
    timezone: 'browser',
    schemaVersion: 38,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' }] },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
