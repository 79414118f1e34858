import { z } from 'zod';
import { storableText } from './storable-text.ts';

const HOST_PORT = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9]\d{0,4})$/;

/** A broker's address. */
export const hostPort = z
  .string()
  .refine((text) => Number(HOST_PORT.exec(text)?.[2] ?? 65_536) < 65_536, 'expected host:port');

const pem = storableText.startsWith('-----BEGIN ', 'expected PEM').max(65_536);

/** `true`: by the certificate authorities that Node knows. */
export const brokerTls = z.union([
  z.boolean(),
  z.strictObject({
    ca: pem.optional().describe('Certificate authorities, in PEM, instead of those that Node knows.'),
    cert: pem.optional().describe('Our own certificate, in PEM.'),
    key: pem.optional().describe('Its private key, in PEM. Never shown again.'),
    server_name: storableText.max(253).optional().describe('Name in the certificate, where it is not the host.'),
  }),
]);

/** How a client of Kafka logs in, in the case of SASL's registry. */
export const saslMechanism = z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']);

/** The same as it is given: in any case. The schema has those that people write, so that types made of it know them all. */
export const givenSaslMechanism = z
  .preprocess((value) => (typeof value === 'string' ? value.toUpperCase() : value), saslMechanism)
  .meta({
    description: 'In upper or lower case.',
    enum: saslMechanism.options.flatMap((name) => [name, name.toLowerCase()]),
  });

/** How a Kafka cluster is reached. */
export const kafkaConnection = z.strictObject({
  brokers: z.array(hostPort).min(1).max(50).describe('Some brokers of the cluster, as host:port.'),
  tls: brokerTls.default(false),
  sasl: z
    .strictObject({
      mechanism: givenSaslMechanism,
      username: storableText.min(1).max(256),
      password: z.string().min(1).max(1024).describe('Never shown again.'),
    })
    .optional(),
});

export type KafkaConnection = z.infer<typeof kafkaConnection>;
export type BrokerTls = z.infer<typeof brokerTls>;
