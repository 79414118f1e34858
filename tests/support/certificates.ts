import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../../src/delivery/fixtures/', import.meta.url);

/** Certificates that stand in the repository: see the README beside them. Their keys protect nothing. */
export type CertificateName = 'ca' | 'localhost' | 'wrong-host' | 'self-signed';

/** The path of a PEM file with a certificate and, but for `ca`, its private key. */
export function certificatePath(name: CertificateName): string {
  return fileURLToPath(new URL(`${name}.pem`, FOLDER));
}

/** The certificate alone, in PEM. */
export function certificateOf(name: CertificateName): string {
  return new X509Certificate(readFileSync(certificatePath(name))).toString();
}

/** The private key alone, in PEM. */
export function keyOf(name: Exclude<CertificateName, 'ca'>): string {
  return /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/.exec(
    readFileSync(certificatePath(name), 'utf8'),
  )![0];
}
