import type { BrokerDestination } from '../../domain/destination.ts';
import type { EgressPolicy } from '../egress-policy.ts';
import { checkHost } from '../endpoint-url.ts';
import { brokerPolicy } from './broker-policy.ts';

export interface BrokerHost {
  /** A name, or an IP literal without brackets. */
  readonly hostname: string;
  readonly port: number;
}

export type BrokerHostCheck =
  | { readonly ok: true; readonly host: string }
  | { readonly ok: false; readonly message: string };

const FORM = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\]+)(?::(\d{1,5}))?$/i;

/** The check of `host:port` when it is written; `host` is the form to store: every spelling of an address is turned into one. */
export function checkBrokerHost(
  policy: EgressPolicy,
  type: BrokerDestination['type'],
  text: string,
  defaultPort: number,
): BrokerHostCheck {
  const [, name, portText] = FORM.exec(text) ?? [];
  if (name === undefined || !URL.canParse(`http://${name}/`)) return { ok: false, message: 'expected host:port' };
  const { hostname } = new URL(`http://${name}/`);
  const port = portText === undefined ? defaultPort : Number(portText);
  const verdict = checkHost(brokerPolicy(policy, type), hostname, port);
  return verdict.ok ? { ok: true, host: `${hostname}:${port}` } : { ok: false, message: verdict.detail };
}

/** The inverse of what `checkBrokerHost` gives. */
export function parseBrokerHost(text: string): BrokerHost {
  const at = text.lastIndexOf(':');
  return { hostname: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}
