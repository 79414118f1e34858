import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';

/**
 * Addresses that a delivery must never reach, whatever the operator allows, as `ip:port` or `[ip]:port`.
 * @param listener our own address as the system gave it; the unspecified one stands for every address of the machine
 * @param services URLs of what we use ourselves, several hosts allowed, with the port that each has by default
 */
export async function ownSockets(
  listener: { readonly address: string; readonly port: number },
  services: readonly { readonly url: string | undefined; readonly defaultPort: number }[],
): Promise<string[]> {
  const sockets = listeningAddresses(listener.address).map((address) => format(address, listener.port));
  for (const { url, defaultPort } of services) {
    for (const { host, port } of hostsOf(url ?? '', defaultPort)) {
      const found = await lookup(host, { all: true }).catch(() => []);
      sockets.push(...found.map(({ address }) => format(address, port)));
    }
  }
  return sockets;
}

function listeningAddresses(address: string): string[] {
  if (address !== '0.0.0.0' && address !== '::') return [address];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [address, ...own.map((each) => each.address.replace(/%.*$/, ''))];
}

/** `scheme://user:secret@host:port,host:port/rest`: connection strings name several hosts where a URL has one. */
function hostsOf(text: string, defaultPort: number): { host: string; port: number }[] {
  const authority = /^[a-z+]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(text)?.[1] ?? '';
  return authority
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(part) ?? [];
      return { host: (host ?? '').replace(/^\[|\]$/g, ''), port: Number(port ?? defaultPort) };
    })
    .filter(({ host }) => host !== '');
}

function format(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
