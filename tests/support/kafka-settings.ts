/** A listener beside the one in clear text, where nobody logs in. Paths are of PEM files. */
export interface KafkaListener {
  /** Capital letters. */
  readonly name: string;
  /** A private key and its certificate; absent: it does not speak TLS. */
  readonly certificate?: string;
  /** The authority of the certificate that clients must have; absent: they need none. */
  readonly clientCa?: string;
  /** Passwords by the names of those who log in by PLAIN, beside the SCRAM users; absent: nobody logs in. */
  readonly plainUsers?: Readonly<Record<string, string>>;
  /** Where clients are sent that ask here; absent: here. */
  readonly advertisedHost?: string;
}

export interface KafkaPlace {
  readonly folder: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly listeners: readonly { readonly listener: KafkaListener; readonly port: number }[];
}

export const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const MODULES = 'org.apache.kafka.common.security';
const HOST = '127.0.0.1';

/** The server.properties of one node (KRaft). */
export function kafkaSettings({ folder, port, controllerPort, listeners }: KafkaPlace): string {
  const bound = listeners.map(({ listener, port: own }) => `${listener.name}://${HOST}:${own}`);
  const advertised = listeners.map(
    ({ listener, port: own }) => `${listener.name}://${listener.advertisedHost ?? HOST}:${own}`,
  );
  const protocols = listeners.map(({ listener }) => `${listener.name}:${protocolOf(listener)}`);
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: [`PLAINTEXT://${HOST}:${port}`, `CONTROLLER://${HOST}:${controllerPort}`, ...bound].join(','),
    'advertised.listeners': [`PLAINTEXT://${HOST}:${port}`, ...advertised].join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT', 'PLAINTEXT:PLAINTEXT', ...protocols].join(','),
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    'log.dirs': `${folder}/data`,
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 2,
    ...Object.assign({}, ...listeners.map(({ listener }) => settingsOf(listener))),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function protocolOf({ certificate, plainUsers }: KafkaListener): string {
  if (plainUsers === undefined) return certificate === undefined ? 'PLAINTEXT' : 'SSL';
  return certificate === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL';
}

function settingsOf({ name, certificate, clientCa, plainUsers }: KafkaListener): Readonly<Record<string, string>> {
  const own: Record<string, string> = {};
  if (certificate !== undefined)
    Object.assign(own, { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': certificate });
  if (clientCa !== undefined)
    Object.assign(own, {
      'ssl.client.auth': 'required',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': clientCa,
    });
  if (plainUsers !== undefined) {
    const users = Object.entries(plainUsers).map(([user, password]) => ` user_${user}="${password}"`);
    own['plain.sasl.jaas.config'] = `${MODULES}.plain.PlainLoginModule required${users.join('')};`;
    for (const mechanism of SCRAM)
      own[`${mechanism.toLowerCase()}.sasl.jaas.config`] = `${MODULES}.scram.ScramLoginModule required;`;
  }
  const prefix = `listener.name.${name.toLowerCase()}`;
  return Object.fromEntries(Object.entries(own).map(([key, value]) => [`${prefix}.${key}`, value]));
}
