import type { ConnectionOptions } from 'node:tls';
import type { BrokerTls } from '../config/kafka-connection.ts';

/** What Node's TLS is told for a described connection; null: no TLS. Certificates are always checked. */
export function tlsOptions(tls: BrokerTls): ConnectionOptions | null {
  if (tls === false) return null;
  if (tls === true) return { rejectUnauthorized: true };
  const { ca, cert, key, server_name: servername } = tls;
  return {
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}
