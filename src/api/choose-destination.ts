import { isDeepStrictEqual } from 'node:util';
import { type BrokerDestination, type Destination, passwordOf } from '../domain/destination.ts';
import { Refusal } from '../domain/errors.ts';
import type { EndpointSettings } from '../store/endpoint-rows.ts';
import type { GivenDestination } from './destination-input.ts';

/**
 * Decides where events go from now on; undefined when the body does not say. A body may give both `url` and `destination`, because both are
 * shown to whoever reads an endpoint: then the one that differs from what was before counts. A destination without its password keeps it if
 * it goes to the same place.
 * @param before null: there was none
 * @throws Refusal 422
 */
export function chooseDestination(
  { byUrl, byDestination }: GivenDestination,
  before: Destination | null,
): Destination | undefined {
  if (byDestination === undefined) return byUrl;
  if (byUrl !== undefined && isDeepStrictEqual(byDestination, before)) return byUrl;
  const whole = withPassword(byDestination, before);
  if (byUrl === undefined || isDeepStrictEqual(byUrl, whole) || isDeepStrictEqual(byUrl, before)) return whole;
  throw refusal('url', 'says something else than destination: expected one of them');
}

/** @throws Refusal 422 when an endpoint with this destination cannot have these settings */
export function checkTogether(
  destination: Destination,
  { format, validation }: Pick<EndpointSettings, 'format' | 'validation'>,
): void {
  if (destination.type === 'http') return;
  if (validation !== 'none') throw refusal('validation', 'is by HTTP: an endpoint that goes to a broker has none');
  if (format === 'cloudevents_binary')
    throw refusal('format', 'is for HTTP: expected native or cloudevents for an endpoint that goes to a broker');
}

function withPassword(destination: Destination, before: Destination | null): Destination {
  if (destination.type === 'http' || passwordOf(destination) !== '') return destination;
  if (before !== null && before.type !== 'http') {
    const whole = givePassword(destination, passwordOf(before) ?? '');
    if (passwordOf(whole) !== '' && isDeepStrictEqual(placeOf(whole), placeOf(before))) return whole;
  }
  const path = destination.type === 'kafka' ? 'destination.sasl.password' : 'destination.password';
  throw refusal(
    path,
    'expected a password: only one that opens, and goes to the same broker, user and TLS settings, is kept',
  );
}

/** All that decides who gets to see the password. */
function placeOf(destination: BrokerDestination): unknown {
  const { type, tls, ca } = destination;
  if (type === 'kafka') return { type, tls, ca, brokers: destination.brokers, sasl: destination.sasl };
  const { hosts, vhost, username, password } = destination;
  return { type, tls, ca, hosts, vhost, username, password };
}

function givePassword(destination: BrokerDestination, password: string): BrokerDestination {
  if (destination.type === 'rabbitmq') return { ...destination, password };
  return destination.sasl === null ? destination : { ...destination, sasl: { ...destination.sasl, password } };
}

function refusal(path: string, message: string): Refusal {
  return new Refusal(422, 'invalid', 'The body is not valid.', { faults: [{ path, message }] });
}
