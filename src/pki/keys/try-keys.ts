/** What keys a folder or a token holds, and whether each can sign: for whoever sets one up. docs/pki.md */
import { randomBytes } from 'node:crypto';
import type { KeyProvider } from '../../ports/key-provider.ts';
import { readCertificate } from '../../standards/x509/certificate.ts';
import { formatName } from '../../standards/x509/name.ts';

/** A line a key, after it has signed something that nobody needs. Rejects with `KeyProviderError`. */
export async function tryKeys(provider: KeyProvider): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { id, algorithm, certificates } of await provider.list()) {
    const bytes = randomBytes(32);
    const signs = await provider.verify(id, bytes, await provider.sign(id, bytes));
    const [own] = certificates;
    const whose = own ? formatName(readCertificate(own).subject) : 'without a certificate';
    lines.push(`${id}  ${algorithm}  ${whose}  ${signs ? 'signs' : 'does not sign'}`);
  }
  return lines;
}
