import { hostname } from 'node:os';
import type { Context } from '../context.ts';
import { readEgressProxy } from '../delivery/egress-proxy.ts';
import { type HandshakeVerdict, prepareHandshake, readHandshake } from '../delivery/handshake.ts';
import type { HttpRequest } from '../delivery/prepare.ts';
import type { Resolver } from '../delivery/resolver.ts';
import { createSender } from '../delivery/send.ts';
import type { Sender } from '../delivery/sender.ts';
import type { DeliveryTarget } from '../domain/endpoint.ts';
import { periodic, type Service } from '../lifecycle.ts';
import { claimValidations, recordValidation } from '../store/endpoint-validations.ts';
import type { LoadedTarget } from '../store/targets.ts';
import { Validator } from './validator.ts';

export interface ValidatorServiceOptions {
  readonly context: Context;
  readonly resolver: Resolver;
  readonly targets: (nums: readonly number[]) => Promise<Map<number, LoadedTarget>>;
}

const LOOK_MS = 1_000;
/** Longer than a handshake may take: past it, the worker that asked is taken for dead. */
const LEASE_MS = 60_000;

/** Has its own connections: a handshake must not wait behind deliveries, nor they behind it. */
export function validatorService({ context, resolver, targets }: ValidatorServiceOptions): Service {
  const { workerPool: pool, policy, config, version, observe, ringEndpoints } = context;
  const origin = config.WEBHOOK_ORIGIN ?? hostname();
  const connectTimeoutMs = config.CONNECT_TIMEOUT_SECONDS * 1000;
  const proxy = readEgressProxy(config.EGRESS_PROXY_URL);
  const sender = createSender({ policy, resolver, proxy, connectionsPerOrigin: 4, maxOrigins: 64, connectTimeoutMs });
  const stopping = new AbortController();
  const validator = new Validator({
    claim: (limit, asking) => claimValidations(pool, limit, LEASE_MS, asking),
    targets,
    ask: (target) => ask(sender, target, { origin, userAgent: `Posthorn/${version}`, signal: stopping.signal }),
    record: (claimed, result) => recordValidation(pool, claimed, result),
    origin,
    onResult: ({ num, id: endpointId, tenantId }, result) => {
      observe.endpointValidated({ endpointId, tenantId, result: result.kind });
      if (result.kind === 'validated') ringEndpoints([num]);
    },
    onFailure: (error) => observe.workFailed('validation', error),
  });
  const rounds = periodic(
    'validations',
    LOOK_MS,
    (signal) => validator.runOnce(signal),
    (name, error) => observe.workFailed(name, error),
  );
  return {
    ...rounds,
    stop: async (deadlineMs) => {
      stopping.abort();
      await rounds.stop(deadlineMs);
      await sender.close();
    },
  };
}

interface Asking {
  readonly origin: string;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

function ask(sender: Sender<HttpRequest>, target: DeliveryTarget, { origin, userAgent, signal }: Asking) {
  const { promise, resolve } = Promise.withResolvers<HandshakeVerdict | null>();
  const giveUp = () => resolve(null);
  if (signal.aborted) return Promise.resolve(null);
  signal.addEventListener('abort', giveUp, { once: true });
  sender.send(prepareHandshake(target, origin, userAgent), (outcome) => resolve(readHandshake(outcome, origin)));
  return promise.finally(() => signal.removeEventListener('abort', giveUp));
}
