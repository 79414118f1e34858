/**
 * The egress rules as data. Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), the
 * documentation of the clouds for their metadata services, and the well-known ports whose protocols can be spoken by accident
 * through an HTTP request (cross-protocol request forgery).
 */

export interface DeniedNetwork {
  readonly cidr: string;
  readonly reason: string;
  /** Stays denied under a broader allowed CIDR: only a CIDR that lies within this one opens it. */
  readonly namedOnly?: true;
}

export const deniedNetworks: readonly DeniedNetwork[] = [
  { cidr: '0.0.0.0/8', reason: 'this host', namedOnly: true },
  { cidr: '10.0.0.0/8', reason: 'private' },
  { cidr: '100.64.0.0/10', reason: 'carrier-grade NAT' },
  { cidr: '100.100.100.200/32', reason: 'cloud metadata', namedOnly: true },
  { cidr: '127.0.0.0/8', reason: 'loopback' },
  { cidr: '168.63.129.16/32', reason: 'cloud metadata', namedOnly: true },
  { cidr: '169.254.0.0/16', reason: 'link-local and cloud metadata', namedOnly: true },
  { cidr: '172.16.0.0/12', reason: 'private' },
  { cidr: '192.0.0.0/24', reason: 'protocol assignments' },
  { cidr: '192.0.0.192/32', reason: 'cloud metadata', namedOnly: true },
  { cidr: '192.0.2.0/24', reason: 'documentation' },
  { cidr: '192.88.99.0/24', reason: '6to4 relay' },
  { cidr: '192.168.0.0/16', reason: 'private' },
  { cidr: '198.18.0.0/15', reason: 'benchmarking' },
  { cidr: '198.51.100.0/24', reason: 'documentation' },
  { cidr: '203.0.113.0/24', reason: 'documentation' },
  { cidr: '224.0.0.0/4', reason: 'multicast' },
  { cidr: '240.0.0.0/4', reason: 'reserved and broadcast' },
  { cidr: '::/128', reason: 'this host', namedOnly: true },
  { cidr: '::1/128', reason: 'loopback' },
  { cidr: '::/96', reason: 'IPv4-compatible' },
  { cidr: '::ffff:0:0:0/96', reason: 'IPv4-translated' },
  { cidr: '64:ff9b::/96', reason: 'NAT64' },
  { cidr: '64:ff9b:1::/48', reason: 'local NAT64' },
  { cidr: '100::/64', reason: 'discard only' },
  { cidr: '2001::/32', reason: 'Teredo' },
  { cidr: '2001:2::/48', reason: 'benchmarking' },
  { cidr: '2001:10::/28', reason: 'ORCHID' },
  { cidr: '2001:20::/28', reason: 'ORCHIDv2' },
  { cidr: '2001:db8::/32', reason: 'documentation' },
  { cidr: '2002::/16', reason: '6to4' },
  { cidr: '3fff::/20', reason: 'documentation' },
  { cidr: '5f00::/16', reason: 'segment routing' },
  { cidr: 'fc00::/7', reason: 'private' },
  { cidr: 'fd00:42::42/128', reason: 'cloud metadata', namedOnly: true },
  { cidr: 'fd00:c1::a9fe:a9fe/128', reason: 'cloud metadata', namedOnly: true },
  { cidr: 'fd00:ec2::/32', reason: 'cloud metadata', namedOnly: true },
  { cidr: 'fd20:ce::254/128', reason: 'cloud metadata', namedOnly: true },
  { cidr: 'fe80::/10', reason: 'link-local', namedOnly: true },
  { cidr: 'fec0::/10', reason: 'site-local' },
  { cidr: 'ff00::/8', reason: 'multicast' },
];

export const deniedPorts: ReadonlyMap<number, string> = new Map([
  [22, 'SSH'],
  [25, 'SMTP'],
  [110, 'POP3'],
  [135, 'RPC'],
  [139, 'NetBIOS'],
  [143, 'IMAP'],
  [389, 'LDAP'],
  [445, 'SMB'],
  [465, 'SMTP'],
  [587, 'SMTP'],
  [993, 'IMAP'],
  [995, 'POP3'],
  [2049, 'NFS'],
  [2375, 'Docker'],
  [3306, 'MySQL'],
  [3389, 'RDP'],
  [5432, 'Postgres'],
  [5672, 'AMQP'],
  [6379, 'Redis'],
  [9092, 'Kafka'],
  [9200, 'Elasticsearch'],
  [11211, 'memcached'],
  [27017, 'MongoDB'],
]);

/** Names that clouds answer for their metadata service; each is judged as the address that it stands for. */
export const metadataNames: ReadonlyMap<string, string> = new Map([
  ['metadata', '169.254.169.254'],
  ['metadata.google.internal', '169.254.169.254'],
  ['metadata.goog', '169.254.169.254'],
  ['instance-data', '169.254.169.254'],
  ['instance-data.ec2.internal', '169.254.169.254'],
]);
