import { checkAddress, type EgressPolicy, isLoopback } from './egress-policy.ts';
import { isLocalhost } from './localhost.ts';

export type Vetted =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly detail: string };

/**
 * Which of a host's addresses a connection may be opened to: all of them, or else none, because who answers for a name may answer
 * anything. Names of this host are the exception: nobody else answers for them, and they have an address of each family although
 * operators mostly open the network of one. Of those the loopback addresses that are not allowed are left out, where another is.
 * @param hostname a name or a literal
 * @param addresses literals
 */
export function vetAddresses(
  policy: EgressPolicy,
  hostname: string,
  addresses: readonly string[],
  port: number,
): Vetted {
  const isOwnName = isLocalhost(hostname.toLowerCase().replace(/\.$/, ''));
  const reachable: string[] = [];
  let leftOut: Vetted | null = null;
  for (const address of addresses) {
    const verdict = checkAddress(policy, address, port);
    if (verdict.ok) reachable.push(address);
    else if (isOwnName && verdict.isOfNetwork && isLoopback(address)) leftOut ??= verdict;
    else return verdict;
  }
  if (leftOut !== null && !reachable.some(isLoopback)) return leftOut;
  return { ok: true, addresses: reachable };
}
