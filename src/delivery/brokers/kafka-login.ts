import {
  AuthenticationError,
  type SASLCustomAuthenticator,
  type SASLOptions,
  saslPlain,
  saslScramSha,
} from '@platformatic/kafka';
import type { KafkaDestination } from '../../domain/destination.ts';

/** Rounds of hashing that a broker may ask for: each costs a thread of ours. Kafka's own default is 4,096. */
const MAX_ITERATIONS = 100_000;
/** Below this a broker that ends sessions early would have us do nothing but log in. */
const MIN_SESSION_MS = 60_000n;

/** How a producer logs in. The broker is whatever the tenant points at, so that what it may ask for is bounded. */
export function saslOptions(sasl: NonNullable<KafkaDestination['sasl']>): SASLOptions {
  return { ...sasl, authenticate: logIn };
}

const logIn: SASLCustomAuthenticator = (mechanism, connection, api, username = '', password = '', _token, callback) => {
  const done: typeof callback = (error, response) => {
    if (error || response === undefined) callback(error, response);
    else callback(null, { ...response, sessionLifetimeMs: atLeast(response.sessionLifetimeMs) });
  };
  if (mechanism === 'PLAIN') {
    saslPlain.authenticate(api, connection, username, password, done);
    return;
  }
  const algorithm = mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512';
  saslScramSha.authenticate(api, connection, algorithm, username, password, boundedCrypto, done);
};

const boundedCrypto: saslScramSha.ScramCryptoModule = {
  ...saslScramSha.defaultCrypto,
  hi: async (definition, password, salt, iterations) => {
    if (iterations > MAX_ITERATIONS)
      throw new AuthenticationError(`the broker asks for more than ${MAX_ITERATIONS} iterations`);
    return saslScramSha.defaultCrypto.hi(definition, password, salt, iterations);
  },
};

/** 0 stands for no end. */
function atLeast(lifetimeMs: bigint): bigint {
  return lifetimeMs > 0n && lifetimeMs < MIN_SESSION_MS ? MIN_SESSION_MS : lifetimeMs;
}
