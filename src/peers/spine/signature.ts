/** Whether a prescription is signed, and the signature covers what it says. eps/REFERENCE section 10. */
import { constants, createHash, verify, X509Certificate } from 'node:crypto';
import { all, at, attribute, canonicalise, isNode, type Node, textOf, withChildren } from './xml.ts';

/** Whose signing certificates are believed; the answer is what is wrong, undefined when nothing is. */
export type CheckSigner = (certificate: X509Certificate, signedAt: number) => string | undefined;

export type SignatureFinding = { readonly kind: 'absent' } | { readonly kind: 'bad'; readonly why: string };

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
/** Never taken from the message: what is not in these tables is refused. */
const SIGNATURE_METHODS: ReadonlyMap<string, string> = new Map([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'sha256'],
]);
const DIGEST_METHODS: ReadonlyMap<string, string> = new Map([['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256']]);
const SHA1_SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1';
const SHA1_DIGEST = 'http://www.w3.org/2000/09/xmldsig#sha1';
const RSA_BITS_MIN = 2048;

export interface SignatureOptions {
  readonly checkSigner: CheckSigner;
  /** Old prescriptions are signed with SHA-1. */
  readonly allowSha1: boolean;
}

/** What is wrong with the signature of a ParentPrescription; undefined when it is good. */
export function checkSignature(
  parent: Node,
  signedAt: number,
  { checkSigner, allowSha1 }: SignatureOptions,
): SignatureFinding | undefined {
  const prescription = at(parent, 'pertinentInformation1/pertinentPrescription');
  const signature = at(prescription, 'author/signatureText/Signature');
  if (prescription === undefined || signature === undefined) return { kind: 'absent' };
  const bad = (why: string): SignatureFinding => ({ kind: 'bad', why });
  const signedInfo = at(signature, 'SignedInfo');
  const value = textOf(at(signature, 'SignatureValue')).trim();
  const certificate = readCertificate(textOf(at(signature, 'KeyInfo/X509Data/X509Certificate')));
  if (signature.namespace !== DSIG || signedInfo === undefined || value === '') return bad('Invalid signature format');
  if (certificate === undefined) return bad('Invalid certificate');
  const methods = methodsOf(signedInfo, allowSha1);
  if (methods === undefined) return bad('Signature algorithm is not allowed');
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN)
    return bad('Signing key is not allowed');
  const signed = Buffer.from(canonicalise(signedInfo));
  const isValid = verify(
    methods.signature,
    signed,
    { key, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(value, 'base64'),
  );
  if (!isValid) return bad('Signature is invalid');
  if (digestOf(parent, prescription, methods.digest) !== textOf(at(signedInfo, 'Reference/DigestValue')).trim())
    return bad("Signature doesn't match prescription");
  const signer = checkSigner(certificate, signedAt);
  return signer === undefined ? undefined : bad(signer);
}

/** Exactly one reference, exclusive canonicalisation and no other transform: else other bytes could have been signed. */
function methodsOf(
  signedInfo: Node,
  allowSha1: boolean,
): { readonly signature: string; readonly digest: string } | undefined {
  const algorithms = (path: string): readonly (string | undefined)[] =>
    all(signedInfo, path).map((node) => attribute(node, '', 'Algorithm'));
  const [signature = ''] = algorithms('SignatureMethod');
  const [digest = ''] = algorithms('Reference/DigestMethod');
  const isPlain =
    all(signedInfo, 'Reference').length === 1 &&
    algorithms('CanonicalizationMethod').join() === EXCLUSIVE &&
    algorithms('Reference/Transforms/Transform').join() === EXCLUSIVE;
  if (!isPlain) return undefined;
  if (allowSha1 && signature === SHA1_SIGNATURE && digest === SHA1_DIGEST) return { signature: 'sha1', digest: 'sha1' };
  const methods = { signature: SIGNATURE_METHODS.get(signature), digest: DIGEST_METHODS.get(digest) };
  return methods.signature && methods.digest ? { signature: methods.signature, digest: methods.digest } : undefined;
}

function readCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}

/** The signed parts, each in a Fragment, canonicalised as one document. */
function digestOf(parent: Node, prescription: Node, hash: string): string {
  const author = at(prescription, 'author');
  const fragments = [
    [at(author, 'time'), at(prescription, 'id')],
    [at(author, 'AgentPerson')],
    [at(parent, 'recordTarget')],
    ...all(prescription, 'pertinentInformation2/pertinentLineItem').map((line) => [asSigned(line)]),
  ];
  const bare = (name: string, children: readonly Node[]): Node => ({
    name,
    prefix: '',
    namespace: '',
    attributes: new Map(),
    children,
  });
  const document = bare(
    'FragmentsToBeHashed',
    fragments.map((parts) =>
      bare(
        'Fragment',
        parts.filter((part) => part !== undefined),
      ),
    ),
  );
  return createHash(hash).update(canonicalise(document)).digest('base64');
}

/** The number of this issue and the state are the Spine's own, and change after the signature. */
const asSigned = (line: Node): Node =>
  withChildren(
    line,
    line.children
      .filter((child) => !isNode(child) || child.name !== 'pertinentInformation4')
      .map((child) =>
        isNode(child) && child.name === 'repeatNumber'
          ? withChildren(
              child,
              child.children.filter((bound) => !isNode(bound) || bound.name !== 'low'),
            )
          : child,
      ),
  );
