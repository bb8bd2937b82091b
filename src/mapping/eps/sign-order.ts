/** Signs a prescription order as a client of the EPS does (its reference, section 10.3): what is signed is what `$prepare` says. */
import { Buffer } from 'node:buffer';
import { verify } from 'node:crypto';
import { issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { readCertificate } from '../../standards/x509/certificate.ts';
import { formatSignature, type SignBytes } from '../../standards/xmldsig/sign.ts';
import type { FhirResource } from '../transaction-bundle.ts';
import type { EpsContext } from './context.ts';
import { isNode, type Node } from './node.ts';
import { prepare } from './prepare.ts';

export interface PrescriptionSigner {
  /** RSASSA-PKCS1-v1_5 with SHA-256, by the prescriber's own key. */
  readonly sign: SignBytes;
  /** In DER. */
  readonly certificate: Buffer;
}

const SIGNATURE_TYPE = { system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' };

/** The order with the Provenance that carries the signature. Only RS256: nobody signs anew with SHA-1. */
export async function signOrder(
  payload: unknown,
  context: EpsContext,
  signer: PrescriptionSigner,
): Promise<Mapped<FhirResource>> {
  const { value: prepared, issues } = prepare(payload, context);
  if (prepared === undefined || !isNode(payload)) return { issues };
  const of = (name: string): string => parameterOf(prepared, name);
  if (of('algorithm') !== 'RS256')
    return refused('the application is set to SHA-1, with which nothing is signed any more');
  const entries = entriesOf(payload);
  const requests = entries.filter(({ resource }) => resource['resourceType'] === 'MedicationRequest');
  const requester = requests.map(({ resource }) => resource['requester']).find(isNode)?.['reference'];
  if (entries.some(({ resource }) => resource['resourceType'] === 'Provenance'))
    return refused('the order is signed already');
  const data = await signDigest(of('digest'), signer);
  if (data === undefined) return refused('the key that signed is not that of the certificate');
  const provenance = {
    resourceType: 'Provenance',
    id: context.newId(),
    target: requests.map(({ fullUrl }) => ({ reference: fullUrl })),
    recorded: of('timestamp'),
    agent: [{ who: { reference: requester } }],
    signature: [{ type: [SIGNATURE_TYPE], when: of('timestamp'), who: { reference: requester }, data }],
  };
  const entry = [
    ...(payload['entry'] as readonly unknown[]),
    { fullUrl: `urn:uuid:${provenance.id}`, resource: provenance },
  ]; // `prepare` has read it
  return { value: { ...payload, resourceType: 'Bundle', entry }, issues };
}

/** `Provenance.signature.data` of a digest that `$prepare` gave; undefined when key and certificate do not belong together. */
export async function signDigest(
  digest: string,
  { sign, certificate }: PrescriptionSigner,
): Promise<string | undefined> {
  const signedInfo = Buffer.from(digest, 'base64');
  const value = await sign(signedInfo);
  if (!verify('sha256', signedInfo, readCertificate(certificate).publicKey, value)) return undefined;
  return Buffer.from(formatSignature(signedInfo.toString('utf8'), value, certificate)).toString('base64');
}

const refused = (diagnostics: string): Mapped<FhirResource> => ({ issues: [issue('business-rule', diagnostics)] });

const parameterOf = (parameters: FhirResource, name: string): string =>
  (parameters['parameter'] as readonly { readonly name: string; readonly valueString: string }[]).find(
    (parameter) => parameter.name === name,
  )?.valueString ?? ''; // as `prepare` makes them

const entriesOf = (bundle: Node): readonly { readonly fullUrl: unknown; readonly resource: Node }[] =>
  (Array.isArray(bundle['entry']) ? bundle['entry'] : []).flatMap((entry) =>
    isNode(entry) && isNode(entry['resource']) ? [{ fullUrl: entry['fullUrl'], resource: entry['resource'] }] : [],
  );
