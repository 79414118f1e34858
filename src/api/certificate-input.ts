import { X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** What keeps a text from being one or more PEM certificates and nothing else; null when it is. */
export function certificateProblem(text: string): string | null {
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0 || text.replaceAll(CERTIFICATE, '').trim() !== '') return 'expected PEM certificates';
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
    return null;
  } catch {
    return 'holds a certificate that cannot be read';
  }
}
