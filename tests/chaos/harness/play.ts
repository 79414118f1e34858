import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { query } from '../../support/query.ts';
import type { Behaviour } from './behaviour.ts';
import { ok } from './behaviour.ts';
import { copyEndpoints } from './copy-endpoints.ts';
import { Crew } from './crew.ts';
import { environmentOf, MAX_IN_FLIGHT, OPERATOR_KEY } from './environment.ts';
import { FaultProxy } from './fault-proxy.ts';
import { History } from './history.ts';
import { HttpClient } from './http-client.ts';
import type { Verdict } from './judge.ts';
import { Producer } from './producer.ts';
import { type Random, seeded } from './random.ts';
import { ReceiverProcess } from './receiver-process.ts';
import { type Route, routesOf, subscriptionsOf } from './routes.ts';
import type { EndpointSpec, LoadSpec, Scenario } from './scenario.ts';
import { type Servers, startServers } from './servers.ts';

export interface PlayOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly backend: 'redis' | 'postgres';
  /** Ledger and logs go here. */
  readonly folder: string;
  readonly say: (line: string) => void;
  /** Ends every pause. */
  readonly signal: AbortSignal;
  /** Over the scenario's own load. */
  readonly events?: number;
}

export interface PlayedEndpoint {
  readonly id: string;
  readonly tenant: string;
  readonly spec: EndpointSpec;
}

const DEFAULT_TENANT = 'acme';
const ENDPOINT_IN_FLIGHT = 16;
/** Seconds before each attempt: soon again, for as long as the longest outage of a scenario. */
export const RETRY_SCHEDULE = [0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 30, 30];

const FOUR: readonly EndpointSpec[] = [
  { name: 'first of acme' },
  { name: 'second of acme' },
  { name: 'first of globex', tenant: 'globex' },
  { name: 'second of globex', tenant: 'globex' },
];
const STEADY: LoadSpec = { perSecond: 60 };

/** Everything of one run: servers, processes, receiver, client. Steps act on it. */
export class Play {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly backend: 'redis' | 'postgres';
  readonly folder: string;
  readonly ledgerPath: string;
  readonly history = new History();
  readonly routes: readonly Route[];
  readonly endpoints: PlayedEndpoint[] = [];
  readonly client = new HttpClient(OPERATOR_KEY, 64);
  readonly producers: Producer[] = [];
  readonly say: (line: string) => void;
  /** What steps found out, to be judged with the invariants. */
  readonly found: Verdict[] = [];
  /** Children that steps started: whoever has them says which live. */
  readonly others: (() => readonly number[])[] = [];
  servers!: Servers;
  receiver!: ReceiverProcess;
  receiverProxy!: FaultProxy;
  apis!: Crew;
  workers!: Crew;
  /** What is in flight at each of these may be sent twice. */
  interruptions = 0;
  /** When the last fault was over, in ms of `performance.now()`; null while none was. */
  healedAt: number | null = null;
  readonly #options: PlayOptions;
  readonly #specs: readonly EndpointSpec[];
  readonly #load: LoadSpec | null;
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #healing: (() => Promise<void>)[] = [];
  #turn = 0;

  constructor(options: PlayOptions) {
    const { scenario } = options;
    this.#options = options;
    this.scenario = scenario;
    this.random = seeded(options.seed);
    this.backend = options.backend;
    this.folder = options.folder;
    this.ledgerPath = join(options.folder, 'ledger.tsv');
    this.say = options.say;
    this.#specs = scenario.endpoints ?? FOUR;
    this.#load = scenario.load === undefined ? STEADY : scenario.load;
    this.routes = routesOf(this.#specs.map((spec) => ({ ...spec, tenant: spec.tenant ?? DEFAULT_TENANT })));
  }

  /** Starts everything, in a database of its own; on failure whatever was started is left to `close`. */
  async open(): Promise<void> {
    const { scenario, seed } = this.#options;
    const { stage = {} } = scenario;
    this.receiver = await ReceiverProcess.start(this.ledgerPath, seed);
    this.#closing.push(() => this.receiver.close());
    this.receiverProxy = await FaultProxy.start(this.receiver.port);
    this.#closing.push(() => this.receiverProxy.close());
    this.servers = await startServers(stage, this.backend === 'redis', (close) => this.#closing.push(close));
    const env = { ...environmentOf(this.servers), ...stage.env };
    this.apis = new Crew('api', env);
    this.workers = new Crew('worker', env);
    this.#closing.push(
      () => this.apis.close(),
      () => this.workers.close(),
      async () => this.client.close(),
    );
    await Promise.all([this.apis.start(stage.apis ?? 1), this.workers.start(stage.workers ?? 2)]);
    await this.#createEndpoints();
  }

  /** Posts events of the given tenants until `stopLoad`, or as many as are asked for. */
  startLoad(load: LoadSpec | null = this.#load): Producer | null {
    if (load === null) return null;
    const { routes, history, client, random } = this;
    const { tenants } = load;
    const uses = [...routes.keys()].filter((route) => tenants === undefined || tenants.includes(routes[route]!.tenant));
    // What was asked for on the command line is about the scenario's own load, not about what its steps post.
    const events = (load === this.#load ? this.#options.events : undefined) ?? load.events;
    const producer = new Producer({
      client,
      history,
      routes,
      uses,
      random,
      api: () => this.api,
      perSecond: load.perSecond,
      slots: load.slots ?? 8,
      batch: load.batch ?? 1,
      ...(events === undefined ? {} : { events }),
      ...(load.subjects === undefined ? {} : { subjects: load.subjects }),
      ...(load.padding === undefined ? {} : { padding: load.padding }),
    });
    this.producers.push(producer);
    return producer;
  }

  async stopLoad(): Promise<void> {
    await Promise.all(this.producers.map((producer) => producer.stop()));
  }

  /** Lets time pass. @throws AbortError when the run is told to stop, so that a step starts nothing after it. */
  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#options.signal });
  }

  /** How many events were asked for on the command line. */
  get askedEvents(): number | undefined {
    return this.#options.events;
  }

  /** The next living API in turn; null while there is none. */
  get api(): string | null {
    const living = this.apis.living;
    return living[this.#turn++ % living.length]?.baseUrl ?? null;
  }

  /** Calls the API as an operator. @throws Error when the answer is not what was expected */
  // biome-ignore lint/suspicious/noExplicitAny: steps read whatever the API answers.
  async call(method: string, path: string, body?: unknown, expected = 200): Promise<any> {
    const answer = this.api === null ? null : await this.client.call(this.api!, method, path, body);
    if (answer?.status !== expected)
      throw new Error(`${method} ${path} answered ${answer?.status ?? 'nothing'}: ${answer?.text.slice(0, 300)}`);
    return answer.text === '' ? undefined : JSON.parse(answer.text);
  }

  // biome-ignore lint/suspicious/noExplicitAny: steps read whatever columns they ask for.
  query(text: string, values: unknown[] = []): Promise<any[]> {
    return query(this.servers.postgres.url, text, values);
  }

  /** The database is at another server from now on: there the run is judged. */
  moveDatabase({ url, pid }: { readonly url: string; readonly pid: number }): void {
    this.servers = { ...this.servers, postgres: { ...this.servers.postgres, url, pid } };
  }

  behave(endpoint: number, behaviour: Behaviour): void {
    this.receiver.behave(endpoint, behaviour);
  }

  /** To be done before the run is judged, the last first, whether the scenario got that far or not. */
  onHeal(heal: () => Promise<void>): void {
    this.#healing.push(heal);
  }

  /** To be done at the very end, before the servers go. */
  onClose(close: () => Promise<void>): void {
    this.#closing.push(close);
  }

  /** The fault of a step is over: what takes from here on is recovery. */
  markHealed(): void {
    this.healedAt = performance.now();
  }

  async heal(): Promise<void> {
    const hasEnded = this.apis.living.length < this.apis.places || this.workers.living.length < this.workers.places;
    for (const heal of this.#healing.splice(0).reverse()) await heal();
    if (hasEnded || this.healedAt === null) this.markHealed();
    await Promise.all([this.apis.startMissing(), this.workers.startMissing()]);
    for (const [index, { healed }] of this.#specs.entries()) if (healed !== undefined) this.behave(index, healed);
  }

  /** Requests that crashes so far may have made the service repeat. */
  get explainedRepeats(): number {
    const limits = this.#specs.map(({ settings }) => Number(settings?.max_in_flight ?? ENDPOINT_IN_FLIGHT));
    const inFlight = Math.min(
      MAX_IN_FLIGHT,
      limits.reduce((sum, limit) => sum + limit, 0),
    );
    return this.interruptions * inFlight + (this.scenario.repeatsAtMost ?? 0);
  }

  /** Ends everything that was started, in reverse; never throws. */
  async close(): Promise<void> {
    for (const close of [...this.#healing.splice(0), ...this.#closing.splice(0).reverse()])
      await close().catch((error: unknown) => this.say(`while closing: ${(error as Error).message}`));
  }

  /** Ends our children without waiting for anything. */
  killAll(): void {
    const { postgres, redis } = this.servers ?? {};
    const services = [...(this.apis?.pids ?? []), ...(this.workers?.pids ?? [])];
    const others = this.others.flatMap((living) => living());
    const pids = [...services, ...others, this.receiver?.pid, redis?.pid, postgres?.pid];
    for (const pid of pids) {
      try {
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
  }

  /** Events that the command line asked for. */
  get events(): number | undefined {
    return this.#options.events;
  }

  logs(): string {
    return [this.apis?.logs(), this.workers?.logs()].join('\n');
  }

  async #createEndpoints(): Promise<void> {
    for (const tenant of new Set(this.#specs.map((spec) => spec.tenant ?? DEFAULT_TENANT)))
      await this.call('POST', '/v1/tenants', { id: tenant }, 201);
    for (const [index, spec] of this.#specs.entries())
      if (spec.isCopy !== true) await this.#createEndpoint(index, spec);
    // Whatever was said to the receiver before is obeyed when this is answered.
    await this.receiver.report();
  }

  async #createEndpoint(index: number, spec: EndpointSpec): Promise<void> {
    const { tenant = DEFAULT_TENANT, settings } = spec;
    const body = {
      url: this.#urlOf(index),
      retry_schedule: RETRY_SCHEDULE,
      subscriptions: subscriptionsOf(spec),
      ...settings,
    };
    const { id, secret, public_key } = await this.call('POST', `/v1/tenants/${tenant}/endpoints`, body, 201);
    const trusted = public_key ?? secret;
    this.#know(index, id, trusted);
    const end = this.#specs.findIndex((each, at) => at > index && each.isCopy !== true);
    const copies = [...this.#specs.keys()].slice(index + 1, end === -1 ? undefined : end);
    if (copies.length === 0) return;
    const rows = copies.map((at) => ({ url: this.#urlOf(at), subscriptions: subscriptionsOf(this.#specs[at]!) }));
    const ids = await copyEndpoints(this.servers.postgres.url, { id, secret }, rows);
    for (const [i, at] of copies.entries()) this.#know(at, ids[i]!, trusted);
  }

  #know(index: number, id: string, trusted: string): void {
    const spec = this.#specs[index]!;
    const { tenant = DEFAULT_TENANT, behaviour = ok } = spec;
    this.receiver.trust(index, tenant, [trusted]);
    this.behave(index, behaviour);
    this.endpoints[index] = { id, tenant, spec };
  }

  #urlOf(index: number): string {
    const port = this.#specs[index]!.viaProxy === true ? this.receiverProxy.port : this.receiver.port;
    return `http://127.0.0.1:${port}/${index}`;
  }
}
