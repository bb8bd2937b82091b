/** Keys in PKCS#12 files: `eps.p12`, each with one key and its certificates. RFC 7292. SECURITY KS-01 */
import { join } from 'node:path';
import forge from 'node-forge';
import type { KeyProvider } from '../../ports/key-provider.ts';
import { addPrivateFile, readKeyFiles } from './folder-files.ts';
import { KeyProviderError } from './key-error.ts';
import { createLocalProvider, type LocalKey, privateKeyFromDer } from './local-keys.ts';

const ENDING = '.p12';
/** Its key derivation is JavaScript: more would hold up everything else. The passphrase has to be a long one. */
const ITERATIONS = 20_000;
const { oids } = forge.pki;

/** Opens a folder of PKCS#12 files. Throws `KeyProviderError`. */
export const openPkcs12Provider = ({
  folder,
  passphrase,
}: {
  readonly folder: string;
  readonly passphrase: string;
}): KeyProvider =>
  createLocalProvider({
    where: `the folder ${folder}`,
    read: () => readKeyFiles(folder, ENDING).map(({ id, file, content }) => readPkcs12(id, file, content, passphrase)),
    add: ({ id, privateKey }) => {
      if (privateKey.asymmetricKeyType !== 'rsa')
        throw new KeyProviderError(
          'refused',
          'a new PKCS#12 file can be made for RSA keys only: make this one with OpenSSL',
        );
      const pem = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString();
      addPrivateFile(join(folder, `${id}${ENDING}`), formatPkcs12(id, pem, [], passphrase));
    },
  });

/** A file with one RSA key, encrypted with AES-256. `certificates` in PEM, the key's own first. */
export function formatPkcs12(
  name: string,
  keyPem: string,
  certificates: readonly string[],
  passphrase: string,
): Buffer {
  const chain = certificates.map((pem) => forge.pki.certificateFromPem(pem));
  const asn1 = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(keyPem),
    (chain.length === 0 ? null : chain) as never,
    passphrase,
    {
      algorithm: 'aes256',
      count: ITERATIONS,
      friendlyName: name,
    },
  ); // the types do not know that there may be no certificate
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1');
}

function readPkcs12(id: string, file: string, content: Buffer, passphrase: string): LocalKey {
  let bags: readonly forge.pkcs12.Bag[];
  try {
    const asn1 = forge.asn1.fromDer(content.toString('latin1'));
    bags = forge.pkcs12.pkcs12FromAsn1(asn1, true, passphrase).safeContents.flatMap(({ safeBags }) => safeBags);
  } catch (cause) {
    throw new KeyProviderError('refused', `${file} is not a PKCS#12 file, or does not open with the passphrase`, cause);
  }
  const keys = bags.filter(({ type }) => type === oids['pkcs8ShroudedKeyBag'] || type === oids['keyBag']);
  const [key, ...more] = keys;
  if (!key || more.length > 0)
    throw new KeyProviderError('refused', `${file} holds ${keys.length} private keys, not one`);
  const privateKey = privateKeyFromDer(derOfKey(key));
  const certificates = bags.filter(({ type }) => type === oids['certBag']).map(derOfCertificate);
  const own = privateKey.type === 'private' ? ownFirst(certificates, key, bags) : certificates;
  return { id, privateKey, certificates: own };
}

/** Of kinds that forge does not know it keeps the bytes as they were. */
function derOfKey({ key, asn1 }: forge.pkcs12.Bag): Buffer {
  const info = key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1;
  return Buffer.from(forge.asn1.toDer(info).getBytes(), 'latin1');
}

const derOfCertificate = ({ cert, asn1 }: forge.pkcs12.Bag): Buffer =>
  Buffer.from(forge.asn1.toDer(cert ? forge.pki.certificateToAsn1(cert) : asn1).getBytes(), 'latin1');

/** The key's certificate has the key's local id. */
function ownFirst(
  certificates: readonly Buffer[],
  key: forge.pkcs12.Bag,
  bags: readonly forge.pkcs12.Bag[],
): readonly Buffer[] {
  const localIdOf = ({ attributes }: forge.pkcs12.Bag): string | undefined =>
    (attributes as { localKeyId?: readonly string[] } | undefined)?.localKeyId?.[0];
  const wanted = localIdOf(key);
  const at = bags
    .filter(({ type }) => type === oids['certBag'])
    .findIndex((bag) => wanted !== undefined && localIdOf(bag) === wanted);
  const own = certificates[at];
  return own ? [own, ...certificates.filter((certificate) => certificate !== own)] : certificates;
}
