/** Prescribers' signatures: those of the published samples, our own, and what attackers make of them. */
import { createHash, sign as signBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { type PrescriptionSigner, signDigest, signOrder } from '../../../src/mapping/eps/sign-order.ts';
import { type VerificationRules, verifyPrescriptionDocument } from '../../../src/mapping/eps/verify-signature.ts';
import { encryptedPem, openPemProvider } from '../../../src/pki/keys/pem-provider.ts';
import type { RevocationMode } from '../../../src/pki/revocation/check-path.ts';
import { createRevocations, readAnyList } from '../../../src/pki/revocation/revocations.ts';
import { createSignerJudge } from '../../../src/pki/signer-trust.ts';
import { type Certificate, readCertificates } from '../../../src/standards/x509/certificate.ts';
import { extensions } from '../../../src/standards/x509/extensions.ts';
import { createName } from '../../../src/standards/x509/name.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../../../src/standards/x509/revocation-list.ts';
import { canonicalise } from '../../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { childOf, type XmlElement } from '../../../src/standards/xml/tree.ts';
import { authority, client, DAY_MS, keyOf, listOf, type Made, signatory } from '../../support/authority.ts';
import { silentLog } from '../../support/log.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';
import { fixtureContext, fixtureMessage, orderNames } from './fixture.ts';

const SIGNED_AT = Date.parse('2026-11-16T09:41:30Z');
const times = { notBefore: SIGNED_AT - 30 * DAY_MS, notAfter: SIGNED_AT + 365 * DAY_MS };
const root = authority('Root', times);
const issuer = authority('Signing', { issuer: root, ...times });
const stranger = authority('Signing', times);
const USER = '555254239107';
const doctorName = createName([
  ['O', 'nhs'],
  ['CN', `${USER}_Doctor`],
]);
const doctor = signatory('Doctor', { issuer, key: 'rsa2048', subject: doctorName, ...times });

const signerOf = (made: Made, hash = 'sha256'): PrescriptionSigner => ({
  certificate: made.certificate.bytes,
  sign: async (bytes) => signBytes(hash, bytes, made.key),
});

interface World {
  readonly revoked?: readonly (readonly [Made, RevocationReason, number])[];
  readonly mode?: RevocationMode;
  readonly lists?: boolean;
  readonly anchors?: readonly Certificate[];
}

function rulesOf(
  { revoked = [], mode = 'fail-closed', lists = true, anchors = [root.certificate] }: World = {},
  more: Partial<VerificationRules> = {},
): VerificationRules {
  const revocations = createRevocations({
    now: () => SIGNED_AT,
    log: silentLog,
    fetch: () => Promise.reject(new Error('down')),
  });
  const of = (by: Made) =>
    revoked
      .filter(([made]) => made.certificate.issuer.key === by.certificate.subject.key)
      .map(([made, reason, at]) => [made, { reason, revokedAt: at }] as const);
  const fresh = { thisUpdate: SIGNED_AT - 1000, nextUpdate: SIGNED_AT + DAY_MS };
  if (lists) revocations.setLists([root, issuer].map((by) => readAnyList(listOf(by, of(by), fresh))));
  const judge = createSignerJudge({
    anchors,
    intermediates: [issuer.certificate],
    revocations,
    mode,
    log: silentLog,
    leafRsaBitsMin: 1024,
  });
  return { now: SIGNED_AT, judge, ...more };
}

/** The V3 message of a signed order. */
async function signed(name = 'prescription-order-acute', signer = signerOf(doctor), at = SIGNED_AT): Promise<string> {
  const context = fixtureContext({ now: at });
  const { value, issues } = await signOrder(fixtureMessage(name), context, signer);
  if (!value) throw new Error(JSON.stringify(issues));
  const { value: message } = convertToV3(value, context);
  return message!;
}

const faultsOf = async (xml: string, world?: World, more?: Partial<VerificationRules>): Promise<readonly string[]> =>
  (await verifyPrescriptionDocument(Buffer.from(xml), rulesOf(world, more))).faults;

const FORMAT = ['Invalid signature format'];
const INVALID = ['Signature is invalid'];
const MISMATCH = ["Signature doesn't match prescription"];

describe('mapping › eps › signatures', () => {
  let message = '';
  before(async () => {
    message = await signed();
  });

  for (const name of orderNames.filter((order) => !order.includes('signed')))
    it(`[XS-01] ${name}: prepared, signed, translated and verified`, async () => {
      const {
        faults,
        warnings,
        signed: content,
        signedAt,
        certificate,
      } = await verifyPrescriptionDocument(Buffer.from(await signed(name)), rulesOf());
      expect(faults).deep.equal([]);
      expect(warnings).deep.equal([]);
      expect(signedAt).equal(SIGNED_AT);
      expect(certificate?.fingerprint).equal(doctor.certificate.fingerprint);
      expect(content?.name).equal('FragmentsToBeHashed');
    });

  it('[XS-01] business code gets the bytes that were verified: their digest is what was signed', async () => {
    const { signed: content } = await verifyPrescriptionDocument(Buffer.from(message), rulesOf());
    const digest = createHash('sha256').update(canonicalise(content!)).digest('base64');
    expect(message).include(`<DigestValue>${digest}</DigestValue>`);
    expect(childOf(content!.children[2] as XmlElement, 'recordTarget')).not.equal(undefined);
  });

  it('[XS-06] signs what $prepare shows, with a key that never leaves its provider', async () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'doctor.pem'), encryptedPem(doctor.key, 'x'), { mode: 0o600 });
    writeFileSync(join(folder, 'doctor.crt'), doctor.pem);
    const provider = openPemProvider({ folder, passphrase: 'x' });
    const [info] = await provider.list();
    const shown: Buffer[] = [];
    const signer: PrescriptionSigner = {
      certificate: info!.certificates[0]!,
      sign: (bytes) => {
        shown.push(bytes);
        return provider.sign('doctor', bytes);
      },
    };
    const { value } = prepare(fixtureMessage('prescription-order-acute'), fixtureContext({ now: SIGNED_AT }));
    const [digest] = value!['parameter'] as readonly { valueString: string }[];
    expect(await faultsOf(await signed('prescription-order-acute', signer))).deep.equal([]);
    expect(shown.map((bytes) => bytes.toString('base64'))).deep.equal([digest!.valueString]);
  });

  it('[XS-06] refuses to sign with a key that is not of the certificate, with SHA-1, and a second time', async () => {
    const other = { ...signerOf(doctor), sign: signerOf(signatory('Other', { issuer, key: keyOf('p256') })).sign };
    const order = fixtureMessage('prescription-order-acute');
    const context = fixtureContext();
    const reason = async (payload: unknown, signer: PrescriptionSigner, changes = {}) =>
      (await signOrder(payload, { ...context, ...changes }, signer)).issues[0]?.diagnostics;
    expect(await reason(order, other)).equal('the key that signed is not that of the certificate');
    expect(await reason(order, signerOf(doctor), { sha1ApplicationIds: new Set([context.applicationId]) })).include(
      'SHA-1',
    );
    const { value } = await signOrder(order, context, signerOf(doctor));
    expect(await reason(value, signerOf(doctor))).equal('the order is signed already');
    expect(await reason({ resourceType: 'Patient' }, signerOf(doctor))).not.equal(undefined);
  });

  it('[XS-06] the Provenance is as the service wants it', async () => {
    const { value } = await signOrder(
      fixtureMessage('prescription-order-acute'),
      fixtureContext({ now: SIGNED_AT }),
      signerOf(doctor),
    );
    const entry = value!['entry'] as readonly { resource: Record<string, unknown> }[];
    const provenance = entry.at(-1)!.resource as unknown as {
      signature: readonly [Record<string, unknown>];
      target: unknown[];
      agent: unknown;
    };
    const [{ data, ...signature }] = provenance.signature;
    expect(signature).deep.include({
      type: [{ system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' }],
      when: '2026-11-16T09:41:30+00:00',
    });
    expect(provenance.agent).deep.equal([{ who: signature['who'] }]);
    expect(provenance.target).length(2);
    expect(Buffer.from(String(data), 'base64').toString()).match(
      /^<Signature xmlns="http:\/\/www.w3.org\/2000\/09\/xmldsig#"><SignedInfo><Canon/,
    );
  });

  describe('what was changed after it was signed', () => {
    const CHANGES: readonly (readonly [what: string, from: string | RegExp, to: string])[] = [
      ['a quantity', /(<quantity [^>]*value=")[\d.]+/, '$1999'],
      ['the NHS number', /(<recordTarget[\s\S]*?extension=")\d{10}/, '$19990000042'],
      ['the family name', /(<recordTarget[\s\S]*?<family>)[^<]+/, '$1Mallory'],
      ['a product', /(<manufacturedRequestedMaterial[\s\S]*?code=")\d+/, '$1111'],
      [
        'the prescription id',
        /(<pertinentPrescription[\s\S]*?<id root=")[^"]+/,
        '$100000000-0000-4000-8000-000000000009',
      ],
      ['the time', /(<author[\s\S]*?<time value=")\d{14}/, '$120261116094131'],
      ['the prescriber', /(<AgentPerson[\s\S]*?<family>)[^<]+/, '$1Mallory'],
      [
        'a line item that is taken away',
        /<pertinentInformation2 contextConductionInd="true" inversionInd[\s\S]*?<\/pertinentLineItem>\s*<\/pertinentInformation2>/,
        '',
      ],
      [
        'a line item that is doubled',
        /<pertinentInformation2 contextConductionInd="true" inversionInd[\s\S]*?<\/pertinentLineItem>\s*<\/pertinentInformation2>/,
        '$&$&',
      ],
    ];
    for (const [what, from, to] of CHANGES)
      it(`[XS-01] ${what}`, async () => {
        const changed = message.replace(from, to);
        expect(changed).not.equal(message);
        expect(await faultsOf(changed)).deep.equal(MISMATCH);
      });

    it('[XS-01] what is not signed may change: the pharmacy, the short id, the issue that is due', async () => {
      const changed = message.replace(/(<performer[\s\S]*?<id [^>]*extension=")[^"]+/, '$1ZZZ99');
      expect(changed).not.equal(message);
      expect(await faultsOf(changed)).deep.equal([]);
    });
  });

  describe('the Signature itself', () => {
    const SIGNATURE = /<Signature [\s\S]*<\/Signature>/;
    const certificateText = doctor.certificate.bytes.toString('base64');
    const within = (from: string | RegExp, to: string) => () => message.replace(from, to);
    const rsaKeyValue =
      '<KeyValue><RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>';
    const X509 = /<X509Data>[\s\S]*<\/X509Data>/;
    const C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
    const transforms = (inner: string): (() => string) =>
      within(/<Transforms>[\s\S]*?<\/Transforms>/, `<Transforms>${inner}</Transforms>`);

    const CASES: readonly (readonly [what: string, make: () => string, faults: readonly string[]])[] = [
      ['none', within(SIGNATURE, ''), FORMAT],
      ['none, but a null flavour', within(SIGNATURE, '<x/>'), FORMAT],
      ['two', within(SIGNATURE, '$&$&'), FORMAT],
      [
        'a second one elsewhere',
        () => message.replace('<recordTarget', `${SIGNATURE.exec(message)![0]}<recordTarget`),
        FORMAT,
      ],
      ['text beside it', within(SIGNATURE, 'x$&'), FORMAT],
      ['another namespace', within('http://www.w3.org/2000/09/xmldsig#">', 'urn:other">'), FORMAT],
      ['no SignedInfo', within(/<SignedInfo>[\s\S]*<\/SignedInfo>/, ''), FORMAT],
      ['two SignedInfo', within(/<SignedInfo>[\s\S]*<\/SignedInfo>/, '$&$&'), FORMAT],
      ['two References', within(/<Reference>[\s\S]*?<\/Reference>/, '$&$&'), FORMAT],
      ['no SignatureValue', within(/<SignatureValue>[\s\S]*<\/SignatureValue>/, ''), FORMAT],
      ['an empty SignatureValue', within(/<SignatureValue>[\s\S]*<\/SignatureValue>/, '<SignatureValue/>'), FORMAT],
      ['a SignatureValue with elements', within('<SignatureValue>', '<SignatureValue><x/>'), FORMAT],
      ['a SignatureValue that is not base64', within('<SignatureValue>', '<SignatureValue>*'), FORMAT],
      ['a comment in the DigestValue', within('<DigestValue>', '<DigestValue>AAAA<!-- x -->'), FORMAT],
      ['a comment anywhere', within('<recordTarget', '<!-- x --><recordTarget'), FORMAT],
      ['a processing instruction', within('<recordTarget', '<?x y?><recordTarget'), FORMAT],
      ['a DOCTYPE', () => message.replace(/^<\?xml[^>]*>/, '$&<!DOCTYPE a [<!ENTITY x "y">]>'), FORMAT],
      ['an Object', within('</KeyInfo>', '</KeyInfo><Object/>'), FORMAT],
      ['a Manifest in SignedInfo', within('</Reference>', '</Reference><Manifest/>'), FORMAT],
      ['no KeyInfo', within(/<KeyInfo>[\s\S]*<\/KeyInfo>/, ''), FORMAT],
      ['a key instead of a certificate', within(X509, rsaKeyValue), FORMAT],
      ['a key beside the certificate', within(X509, `$&${rsaKeyValue}`), FORMAT],
      ['a place of a key', within(X509, '<RetrievalMethod URI="http://example.org/key"/>'), FORMAT],
      ['the name of a key', within(X509, '<KeyName>doctor</KeyName>'), FORMAT],
      ['the name of an issuer', within(X509, '<X509Data><X509SubjectName>CN=x</X509SubjectName></X509Data>'), FORMAT],
      [
        'two certificates',
        within(/<X509Certificate>[\s\S]*<\/X509Certificate>/, '$&$&'),
        ['Multiple certificates detected'],
      ],
      [
        'certificates pasted together',
        within('<X509Certificate>', '<X509Certificate>AAAA-----END CERTIFICATE----------BEGIN CERTIFICATE-----'),
        ['Multiple certificates detected'],
      ],
      ['a certificate that is none', within(certificateText, 'AAAA'), ['Invalid certificate']],
      [
        'a certificate with a byte too many',
        within(certificateText, Buffer.concat([doctor.certificate.bytes, Buffer.alloc(1)]).toString('base64')),
        ['Invalid certificate'],
      ],
      [
        'HMAC',
        within('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'http://www.w3.org/2000/09/xmldsig#hmac-sha1'),
        INVALID,
      ],
      ['no algorithm', within('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', ''), INVALID],
      [
        'RSA with SHA-1 by name',
        within('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'),
        [...INVALID, ...MISMATCH],
      ],
      [
        'ECDSA by name',
        within(
          'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
          'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256',
        ),
        [...INVALID, ...MISMATCH],
      ],
      [
        'a digest by SHA-1',
        within('http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2000/09/xmldsig#sha1'),
        [...INVALID, ...MISMATCH],
      ],
      [
        'a digest by MD5',
        within('http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmldsig-more#md5'),
        INVALID,
      ],
      [
        'inclusive canonicalisation',
        within(
          `CanonicalizationMethod Algorithm="${C14N}"`,
          'CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"',
        ),
        INVALID,
      ],
      [
        'canonicalisation with comments',
        within(`CanonicalizationMethod Algorithm="${C14N}"`, `CanonicalizationMethod Algorithm="${C14N}WithComments"`),
        INVALID,
      ],
      [
        'a list of namespaces',
        within(
          /<CanonicalizationMethod Algorithm="[^"]*"\/>/,
          `<CanonicalizationMethod Algorithm="${C14N}"><InclusiveNamespaces xmlns="${C14N}" PrefixList="x"/></CanonicalizationMethod>`,
        ),
        INVALID,
      ],
      ['no transform', transforms(''), [...INVALID, ...MISMATCH]],
      [
        'XPath',
        transforms('<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>1</XPath></Transform>'),
        INVALID,
      ],
      [
        'XSLT',
        transforms('<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'),
        [...INVALID, ...MISMATCH],
      ],
      [
        'base64',
        transforms('<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>'),
        [...INVALID, ...MISMATCH],
      ],
      ['three transforms', transforms(`<Transform Algorithm="${C14N}"/>`.repeat(3)), FORMAT],
      [
        'a URI that leads out',
        within('<Reference>', '<Reference URI="http://example.org/x">'),
        [...INVALID, ...MISMATCH],
      ],
      ['a URI of the document', within('<Reference>', '<Reference URI="">'), [...INVALID, ...MISMATCH]],
      ['a URI of an id', within('<Reference>', '<Reference URI="#x">'), [...INVALID, ...MISMATCH]],
      [
        'a type of the reference',
        within('<Reference>', '<Reference Type="http://www.w3.org/2000/09/xmldsig#Object">'),
        FORMAT,
      ],
      [
        'another DigestValue',
        within(/<DigestValue>[^<]*/, `<DigestValue>${Buffer.alloc(32).toString('base64')}`),
        [...INVALID, ...MISMATCH],
      ],
    ];
    for (const [what, make, faults] of CASES)
      it(`[XS-01] [XS-03] refuses: ${what}`, async () => {
        const changed = make();
        expect(changed).not.equal(message);
        expect(await faultsOf(changed)).deep.equal(faults);
      });

    it('[XS-01] a void document: a signature over an empty digest, by the right key, of nothing that is prescribed', async () => {
      const empty = createHash('sha256').update('').digest('base64');
      const info = Buffer.from(
        Buffer.from(await digestOfOrder(), 'base64')
          .toString()
          .replace(/<DigestValue>[^<]*/, `<DigestValue>${empty}`),
      );
      const data = await signDigest(info.toString('base64'), signerOf(doctor));
      expect(await faultsOf(message.replace(SIGNATURE, Buffer.from(data!, 'base64').toString()))).deep.equal(MISMATCH);
    });

    it('[XS-01] the signature of another prescription', async () => {
      const other = await signed('prescription-order-repeat-prescribing');
      expect(await faultsOf(message.replace(SIGNATURE, SIGNATURE.exec(other)![0]))).deep.equal(MISMATCH);
    });
  });

  async function digestOfOrder(): Promise<string> {
    const { value } = prepare(fixtureMessage('prescription-order-acute'), fixtureContext({ now: SIGNED_AT }));
    return (value!['parameter'] as readonly { valueString: string }[])[0]!.valueString;
  }

  describe('parts that are moved, doubled or disguised', () => {
    const part = (name: string): string =>
      new RegExp(`<ParentPrescription[\\s\\S]*?(<${name}[ >][\\s\\S]*?</${name}>)`).exec(message)![1]!;
    const evil = (text: string): string =>
      text.replace(/(value|extension)="[\d.]+"/, '$1="666"').replace(/<family>[^<]*/, '<family>Mallory');
    const PARTS = [
      'recordTarget',
      'author',
      'AgentPerson',
      'pertinentPrescription',
      'pertinentInformation1',
      'pertinentLineItem',
    ] as const;
    const MOVES: readonly (readonly [how: string, make: (original: string, wrong: string) => string])[] = [
      ['a wrong one before the right one', (original, wrong) => wrong + original],
      ['a wrong one after the right one', (original, wrong) => original + wrong],
      ['the right one within the wrong one', (original, wrong) => wrong.replace(/>/, `>${original}`)],
      ['the wrong one within the right one', (original, wrong) => original.replace(/>/, `>${wrong}`)],
      ['the right one kept aside', (original, wrong) => `${wrong}<component>${original}</component>`],
      [
        'the right one in an Object',
        (original, wrong) => `${wrong}<Object xmlns="http://www.w3.org/2000/09/xmldsig#">${original}</Object>`,
      ],
      [
        'the wrong one in another namespace',
        (original, wrong) => original.replace(/>/, `>${wrong.replace(/^<(\w+)/, '<$1 xmlns="urn:evil"')}`),
      ],
      [
        'the right one in another namespace',
        (original, wrong) => wrong + original.replace(/^<(\w+)/, '<$1 xmlns="urn:evil"'),
      ],
      ['the wrong one alone', (_, wrong) => wrong],
      ['the right one twice', (original) => original + original],
    ];
    for (const name of PARTS)
      for (const [how, make] of MOVES)
        it(`[XS-02] ${name}: ${how}`, async () => {
          const original = part(name);
          const changed = message.replace(original, () => make(original, evil(original)));
          expect(changed).not.equal(message);
          const { faults, signed: content } = await verifyPrescriptionDocument(Buffer.from(changed), rulesOf());
          expect(faults).not.deep.equal([]);
          expect(content).equal(undefined);
        });

    const DISGUISES: readonly (readonly [what: string, from: string | RegExp, to: string])[] = [
      [
        'an attribute with a prefix beside that without',
        /(<quantity [^>]*)value="([\d.]+)"/,
        '$1xmlns:e="urn:hl7-org:v3" e:value="$2" value="666"',
      ],
      [
        'an element with a prefix of another namespace',
        /<time ([^>]*)\/>(?=\s*<signatureText)/,
        '<e:time xmlns:e="urn:evil" $1/>',
      ],
      ['another default namespace half-way', /<quantity /, '<quantity xmlns="urn:evil" '],
      ['ids of XML', /<recordTarget /, '<recordTarget xml:id="x" '],
      ['text in an element that has none', /(<time [^>]*)\/>(?=\s*<signatureText)/, '$1>1</time>'],
      ['a namespace that is taken away', /<recordTarget /, '<recordTarget xmlns="" '],
    ];
    for (const [what, from, to] of DISGUISES)
      it(`[XS-02] ${what}`, async () => {
        const changed = message.replace(from, to);
        expect(changed).not.equal(message);
        expect(await faultsOf(changed)).not.deep.equal([]);
      });

    it('[XS-02] two prescriptions in one document', async () => {
      const whole = /<ParentPrescription[\s\S]*<\/ParentPrescription>/.exec(message)![0];
      expect(await faultsOf(message.replace(whole, `${whole}${whole}`))).deep.equal(FORMAT);
    });

    it('[XS-02] a prefix that means the same namespace is the same prescription', async () => {
      const [whole] = /<ParentPrescription[\s\S]*<\/ParentPrescription>/.exec(message)!;
      const prefixed = `<root xmlns:h="urn:hl7-org:v3">${whole.replaceAll(/<(\/?)(?!Signature|\/Signature)(\w)/g, '<$1h:$2')}</root>`;
      const [own] = /<h?:?Signature [\s\S]*<\/h?:?Signature>/.exec(whole)!;
      const again = prefixed.replace(/<Signature [\s\S]*<\/Signature>/, own);
      expect(await faultsOf(again)).deep.equal([]);
    });
  });

  describe('the certificate', () => {
    const by = async (made: Made, world?: World, more?: Partial<VerificationRules>) =>
      faultsOf(await signed('prescription-order-acute', signerOf(made)), world, more);

    it('[XS-03] of an authority that nobody trusts', async () => {
      const fake = signatory('Doctor', { issuer: stranger, key: 'rsa2048', subject: doctorName, ...times });
      expect(await by(fake)).deep.equal(['Certificate not trusted']);
      expect(await by(signatory('Self', { key: 'rsa2048', ...times }))).deep.equal(['Certificate not trusted']);
      expect(await by(doctor, { anchors: [] })).deep.equal(['Certificate not trusted']);
    });

    it('[XS-03] of a TLS client', async () =>
      expect(await by(client('Doctor', { issuer, key: 'rsa2048', ...times }))).deep.equal(['Certificate not trusted']));

    it('[XS-01] another certificate than that of the key', async () => {
      const other = signatory('Other', { issuer, key: keyOf('rsa2048'), ...times });
      const swapped = message.replace(
        doctor.certificate.bytes.toString('base64'),
        signatory('P', { issuer, key: 'p256', ...times }).certificate.bytes.toString('base64'),
      );
      expect(await faultsOf(swapped)).deep.equal(INVALID);
      expect(await by(other)).deep.equal([]);
    });

    it('[XS-01] of another person than the one who prescribes', async () => {
      expect(await faultsOf(message, {}, { userId: USER })).deep.equal([]);
      expect(await faultsOf(message, {}, { userId: '555000000000' })).deep.equal([
        'Certificate is not of the prescriber',
      ]);
      const own = signatory('Doctor', {
        issuer,
        key: 'rsa2048',
        extensions: [extensions.subjectAltName([`urn:mortar:sds:${USER}`])],
        ...times,
      });
      expect(await by(own, {}, { userId: USER })).deep.equal([]);
    });

    it('[XS-04] expired or not yet valid when it signed; expired since is good', async () => {
      const old = signatory('Old', { issuer, key: 'rsa2048', notBefore: times.notBefore, notAfter: SIGNED_AT - 1000 });
      const young = signatory('Young', {
        issuer,
        key: 'rsa2048',
        notBefore: SIGNED_AT + 1000,
        notAfter: times.notAfter,
      });
      const since = signatory('Since', {
        issuer,
        key: 'rsa2048',
        notBefore: times.notBefore,
        notAfter: SIGNED_AT + 1000,
      });
      expect(await by(old)).deep.equal(['Certificate expired when signed']);
      expect(await by(young)).deep.equal(['Certificate expired when signed']);
      expect(await by(since, {}, { now: SIGNED_AT + 10 * DAY_MS })).deep.equal([]);
    });

    it('[XS-04] signed in the future, by more than the clocks may differ', async () => {
      expect(await faultsOf(message, {}, { now: SIGNED_AT - 4 * 60_000 })).deep.equal([]);
      expect(await faultsOf(message, {}, { now: SIGNED_AT - 6 * 60_000 })).deep.equal(['Signature is of the future']);
    });

    const always = new Set<RevocationReason>(['keyCompromise', 'cACompromise', 'aACompromise']);
    for (const reason of [...REVOCATION_REASONS.values()])
      it(`[XS-04] revoked for ${reason}, before and after it signed`, async () => {
        expect(await faultsOf(message, { revoked: [[doctor, reason, SIGNED_AT - 1000]] })).deep.equal([
          'Certificate is revoked',
        ]);
        const after = await faultsOf(message, { revoked: [[doctor, reason, SIGNED_AT + 1000]] });
        expect(after).deep.equal(always.has(reason) ? ['Certificate is revoked'] : []);
        expect(await faultsOf(message, { revoked: [[issuer, reason, SIGNED_AT - 1000]] })).deep.equal([
          'CA certificate is revoked',
        ]);
      });

    it('[XS-04] nobody says whether it is revoked: refused, unless the switch for the national behaviour is set', async () => {
      expect(await faultsOf(message, { lists: false })).deep.equal(['Certificate revocation status unknown']);
      expect(await faultsOf(message, { lists: false, mode: 'fail-open' })).deep.equal([]);
      expect(await faultsOf(message, { mode: 'fail-open', revoked: [[doctor, 'superseded', SIGNED_AT]] })).deep.equal([
        'Certificate is revoked',
      ]);
    });
  });

  describe('signatures of old', () => {
    /** As a system signed it that is on the list for SHA-1. */
    async function legacy(made: Made): Promise<string> {
      const order = fixtureMessage('prescription-order-acute');
      const context = fixtureContext({ now: SIGNED_AT });
      const { value } = prepare(order, { ...context, sha1ApplicationIds: new Set([context.applicationId]) });
      const info = Buffer.from((value!['parameter'] as readonly { valueString: string }[])[0]!.valueString, 'base64');
      const signature = info
        .toString()
        .replace(' xmlns="http://www.w3.org/2000/09/xmldsig#"', '')
        .concat(`<SignatureValue>${signBytes('sha1', info, made.key).toString('base64')}</SignatureValue>`)
        .concat(
          `<KeyInfo><X509Data><X509Certificate>${made.certificate.bytes.toString('base64')}</X509Certificate></X509Data></KeyInfo>`,
        );
      return message.replace(
        /<Signature [\s\S]*<\/Signature>/,
        `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">${signature}</Signature>`,
      );
    }

    it('[XS-01] SHA-1 is verified for those on the list until the day that is set, with a warning, and for nobody else', async () => {
      const old = await legacy(doctor);
      expect(await faultsOf(old)).deep.equal(INVALID);
      expect(await faultsOf(old, {}, { legacyUntil: SIGNED_AT })).deep.equal(INVALID);
      const result = await verifyPrescriptionDocument(Buffer.from(old), rulesOf({}, { legacyUntil: SIGNED_AT + 1 }));
      expect(result.faults).deep.equal([]);
      expect(result.warnings).deep.equal(['The signature is made with SHA-1']);
    });

    it('[XS-01] so are RSA keys of 1024 bits', async () => {
      const weak = signatory('Weak', { issuer, key: 'rsa1024', ...times });
      const xml = await signed('prescription-order-acute', signerOf(weak));
      expect(await faultsOf(xml)).deep.equal(INVALID);
      const result = await verifyPrescriptionDocument(Buffer.from(xml), rulesOf({}, { legacyUntil: SIGNED_AT + 1 }));
      expect(result.faults).deep.equal([]);
      expect(result.warnings).deep.equal(['The signature is made with an RSA key of 1024 bits']);
    });
  });

  it('[XS-01] however the message is indented', async () => {
    const { value } = readXml(message);
    const spaced = message.replaceAll(/>\s*</g, '>\n \t <');
    expect(value).not.equal(undefined);
    expect(await faultsOf(spaced)).deep.equal([]);
    expect(await faultsOf(message.replaceAll(/>\s*</g, '><'))).deep.equal([]);
    expect(await faultsOf(message.replace(/<SignatureValue>(.{76})/, '<SignatureValue>$1&#13;\n'))).deep.equal([]);
  });

  describe('published samples', () => {
    const samples = process.env['PUBLISHED_SAMPLES_DIR'];
    const folder = join(samples ?? '', 'eps/examples');
    before(function () {
      if (samples === undefined) this.skip();
    });

    it('[XS-01] every truly signed one has the faults that the national service finds', async () => {
      const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
        cases: readonly { kind: string; id: string; request: string; expected: readonly string[] }[];
      };
      const own = cases.filter(({ kind }) => kind === 'signature verification');
      expect(own).length(3);
      const judge = createSignerJudge({
        anchors: readCertificates(readFileSync(join(folder, 'fixtures/certs/NHS_INT_Level1D.pem'))),
        revocations: createRevocations({
          now: () => SIGNED_AT,
          log: silentLog,
          fetch: () => Promise.reject(new Error('down')),
        }),
        mode: 'fail-open',
        leafRsaBitsMin: 1024,
        log: silentLog,
      });
      for (const { id, request, expected } of own) {
        const { faults } = await verifyPrescriptionDocument(readFileSync(join(folder, request)), {
          now: SIGNED_AT,
          judge,
          legacyUntil: Date.parse('2023-01-01'),
        });
        const { errors } = JSON.parse(readFileSync(join(folder, expected[0]!), 'utf8')) as {
          errors: readonly string[];
        };
        expect(faults, id).deep.equal(errors);
      }
      console.log(`      signature verification: ${own.length} of ${own.length}`);
    });
  });
});
