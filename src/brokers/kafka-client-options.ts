import { isIP } from 'node:net';
import type { BaseOptions } from '@platformatic/kafka';
import type { KafkaConnection } from '../config/kafka-connection.ts';
import { tlsOptions } from './tls-options.ts';

/** Options of every Kafka client, consumer or producer, for a described connection. Holds secrets. */
export function kafkaClientOptions(connection: KafkaConnection, clientId: string): BaseOptions {
  const { brokers, tls, sasl } = connection;
  const secure = tlsOptions(tls);
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    timeout: CONNECT_MS,
    // A client gives up soon: who uses it says what is wrong, waits and begins anew.
    retries: 3,
    retryDelay: RETRY_MS,
    autocreateTopics: false,
    ...(secure === null ? {} : { tls: secure, tlsServerName: secure.servername ?? brokers.some(hasName) }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
  };
}

/** An address is no server name (RFC 6066); certificates are held against it all the same. */
function hasName(broker: string): boolean {
  return !broker.startsWith('[') && isIP(broker.slice(0, broker.lastIndexOf(':'))) === 0;
}

const CONNECT_MS = 5_000;
const REQUEST_MS = 30_000;
const RETRY_MS = 250;
