/** Enveloped signatures: what is verified is all that is given back. SECURITY F4 */
import { createHash, createHmac, createSign, sign as signBytes } from 'node:crypto';
import { expect } from 'chai';
import { canonicalise } from '../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../src/standards/xml/read.ts';
import { ownText } from '../../src/standards/xml/tree.ts';
import { EXCLUSIVE_C14N, type SignatureName } from '../../src/standards/xmldsig/algorithms.ts';
import { signEnveloped } from '../../src/standards/xmldsig/sign.ts';
import { SignatureFault } from '../../src/standards/xmldsig/signature.ts';
import { verifyEnveloped } from '../../src/standards/xmldsig/verify.ts';
import { authority, signatory } from '../support/authority.ts';

const DS = 'http://www.w3.org/2000/09/xmldsig#';
const root = authority('Root');
const rsa = signatory('RSA', { issuer: root, key: 'rsa2048' });
const ec = signatory('EC', { issuer: root, key: 'p256' });
const RULES = { methods: new Set<SignatureName>(['RS256', 'ES256']) };
const BODY = '<a:order xmlns:a="urn:a" Id="order"><patient>Ada</patient><drug dose="1">x &amp; y</drug></a:order>';

async function signed(body = BODY, made = rsa, method: 'RS256' | 'ES256' = 'RS256'): Promise<string> {
  const signature = await signEnveloped(readXml(body).value!, {
    method,
    certificate: made.certificate.bytes,
    sign: async (bytes) =>
      signBytes('sha256', bytes, method === 'ES256' ? { key: made.key, dsaEncoding: 'ieee-p1363' } : made.key),
  });
  return body.replace(/<\/[^<]*>$/, (end) => signature + end);
}

function codeOf(xml: string, rules: Parameters<typeof verifyEnveloped>[1] = RULES): string | undefined {
  try {
    verifyEnveloped(xml, rules);
    return undefined;
  } catch (error) {
    expect(error).instanceOf(SignatureFault);
    return (error as SignatureFault).code;
  }
}

describe('standards › xmldsig', () => {
  let document = '';
  before(async () => {
    document = await signed();
  });

  for (const [method, made] of [
    ['RS256', rsa],
    ['ES256', ec],
  ] as const)
    it(`[XS-01] ${method}: signed, verified, and only what was signed is given back`, async () => {
      const xml = await signed(BODY, made, method);
      const verified = verifyEnveloped(xml, RULES);
      expect(verified.method).equal(method);
      expect(verified.certificate.fingerprint).equal(made.certificate.fingerprint);
      expect(verified.bytes.toString()).equal(canonicalise(readXml(BODY).value!));
      expect(verified.root.children.map((child) => typeof child === 'string' || child.name)).deep.equal([
        'patient',
        'drug',
      ]);
    });

  it('[XS-01] a reference to the root by its id, which nothing else has', async () => {
    const info = /<SignedInfo[\s\S]*<\/SignedInfo>/.exec(document)![0].replace('URI=""', 'URI="#order"');
    const resigned = resign(document, info);
    expect(codeOf(resigned)).equal(undefined);
    expect(codeOf(resign(document, info.replace('#order', '#other')))).equal('reference');
    expect(codeOf(resign(document, info.replace('#order', 'http://example.org/')))).equal('reference');
    for (const id of ['Id', 'ID', 'id', 'xml:id', 'a:Id'])
      expect(codeOf(resigned.replace('<drug ', `<drug ${id}="order" `)), id).not.equal(undefined);
  });

  /** What an attacker who owns the key's signature over other words would send: for what the order of checks is. */
  function resign(xml: string, signedInfo: string): string {
    const canonical = Buffer.from(signedInfo.replace(/<SignedInfo[^>]*>/, `<SignedInfo xmlns="${DS}">`));
    const value = createSign('sha256').update(canonical).sign(rsa.key, 'base64');
    return xml
      .replace(/<SignedInfo[\s\S]*<\/SignedInfo>/, () => signedInfo)
      .replace(/<SignatureValue>[^<]*/, `<SignatureValue>${value}`);
  }

  const signature = (): string => /<Signature [\s\S]*<\/Signature>/.exec(document)![0];
  const evil = '<patient>Mallory</patient><drug dose="9">x</drug>';
  const inner = '<patient>Ada</patient><drug dose="1">x &amp; y</drug>';
  const whole = (): string => document;

  /** The classic ways to show the verifier one element and the application another. */
  const WRAPPINGS: readonly (readonly [what: string, make: () => string])[] = [
    ['the signed root within a wrong one', () => `<a:order xmlns:a="urn:a" Id="evil">${evil}${whole()}</a:order>`],
    [
      '… with the signature taken out to the wrong root',
      () => `<a:order xmlns:a="urn:a" Id="evil">${evil}${signature()}${BODY}</a:order>`,
    ],
    [
      '… in an Object of the signature',
      () =>
        `<a:order xmlns:a="urn:a" Id="evil">${evil}${signature().replace('</Signature>', `<Object>${BODY}</Object></Signature>`)}</a:order>`,
    ],
    [
      '… in an Object, with the same id',
      () =>
        `<a:order xmlns:a="urn:a" Id="order">${evil}${signature().replace('</Signature>', `<Object>${BODY}</Object></Signature>`)}</a:order>`,
    ],
    ['a wrong child before', () => document.replace(inner, evil + inner)],
    ['a wrong child after', () => document.replace(inner, inner + evil)],
    ['a wrong child after the signature', () => document.replace('</a:order>', `${evil}</a:order>`)],
    [
      'a wrong root as a child of the right one',
      () => document.replace(inner, `${inner}<a:order Id="order">${evil}</a:order>`),
    ],
    ['the signature doubled', () => document.replace(signature(), signature() + signature())],
    ['a signature within a child', () => document.replace('</patient>', `${signature()}</patient>`)],
    [
      'the signature moved into a child',
      () => document.replace(signature(), '').replace('</patient>', `${signature()}</patient>`),
    ],
    ['a part of a signature elsewhere', () => document.replace('</patient>', `<SignedInfo xmlns="${DS}"/></patient>`)],
    ['a Signature in no namespace', () => document.replace('</patient>', '<Signature/></patient>')],
    ['a Signature in another namespace', () => document.replace(signature(), signature().replace(DS, 'urn:other'))],
    ['a void document', () => `<a:order xmlns:a="urn:a">${signature()}</a:order>`],
    ['a comment that cuts a name', () => document.replace('>Ada<', '>Mallory<!-- -->Ada<')],
    ['a comment in the digest', () => document.replace('<DigestValue>', '<DigestValue><!-- x -->')],
    ['a CDATA section with another name', () => document.replace('>Ada<', '><![CDATA[Mallory]]><')],
    ['an entity', () => `<!DOCTYPE a [<!ENTITY n "Mallory">]>${document.replace('>Ada<', '>&n;<')}`],
    ['an id by a DOCTYPE', () => `<!DOCTYPE a [<!ATTLIST drug dose ID #IMPLIED>]>${document}`],
    ['an attribute changed', () => document.replace('dose="1"', 'dose="9"')],
    ['an attribute with a prefix', () => document.replace('dose="1"', 'a:dose="1" dose="9"')],
    ['the namespace of the root changed', () => document.replace('urn:a', 'urn:b')],
    [
      'a prefix bound to something else half-way',
      () => document.replace('<patient>', '<a:patient xmlns:a="urn:evil">').replace('</patient>', '</a:patient>'),
    ],
    ['a default namespace added', () => document.replace('<patient>', '<patient xmlns="urn:evil">')],
    ['white space in the text', () => document.replace('>Ada<', '>A da<')],
    ['two documents', () => document + document],
  ];
  for (const [what, make] of WRAPPINGS)
    it(`[XS-02] ${what}`, () => {
      const xml = make();
      expect(xml).not.equal(document);
      expect(codeOf(xml)).not.equal(undefined);
    });

  const METHODS: readonly (readonly [what: string, from: string | RegExp, to: string])[] = [
    ['HMAC with the public key', /(SignatureMethod Algorithm=")[^"]*/, `$1${DS}hmac-sha256`],
    ['SHA-1', /(SignatureMethod Algorithm=")[^"]*/, `$1${DS}rsa-sha1`],
    ['a digest by SHA-1', /(DigestMethod Algorithm=")[^"]*/, `$1${DS}sha1`],
    [
      'an algorithm for another kind of key',
      /(SignatureMethod Algorithm=")[^"]*/,
      '$1http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256',
    ],
    ['XPath', /(<Transform Algorithm=")[^"]*(")/, '$1http://www.w3.org/TR/1999/REC-xpath-19991116$2'],
    ['XSLT', /(<Transform Algorithm=")[^"]*(")/, '$1http://www.w3.org/TR/1999/REC-xslt-19991116$2'],
    ['no enveloped signature', /<Transform Algorithm="[^"]*enveloped-signature"><\/Transform>/, ''],
    ['the transforms the other way round', /(<Transform [^>]*><\/Transform>)(<Transform [^>]*><\/Transform>)/, '$2$1'],
    ['a third transform', '</Transforms>', `<Transform Algorithm="${EXCLUSIVE_C14N}"></Transform></Transforms>`],
    [
      'inclusive canonicalisation',
      /(CanonicalizationMethod Algorithm=")[^"]*/,
      '$1http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
    ],
    ['a length for a hash', /(<SignatureMethod [^>]*>)/, '$1<HMACOutputLength>1</HMACOutputLength>'],
  ];
  for (const [what, from, to] of METHODS)
    it(`[XS-01] ${what}, though it is signed`, () => {
      const info = /<SignedInfo[\s\S]*<\/SignedInfo>/.exec(document)![0];
      const changed = info.replace(from, to);
      expect(changed).not.equal(info);
      expect(codeOf(resign(document, changed))).not.equal(undefined);
    });

  it('[XS-03] an HMAC with the bytes of the certificate or its key is no signature', () => {
    const info = /<SignedInfo[\s\S]*<\/SignedInfo>/
      .exec(document)![0]
      .replace(/(SignatureMethod Algorithm=")[^"]*/, `$1${DS}hmac-sha1`);
    for (const key of [rsa.certificate.bytes, rsa.certificate.publicKeyInfo]) {
      const mac = createHmac('sha1', key).update(info).digest('base64');
      expect(
        codeOf(
          document
            .replace(/<SignedInfo[\s\S]*<\/SignedInfo>/, info)
            .replace(/<SignatureValue>[^<]*/, `<SignatureValue>${mac}`),
        ),
      ).equal('algorithm');
    }
  });

  it('[XS-03] a weak key, and a method that is not asked for', async () => {
    const weak = signatory('Weak', { issuer: root, key: 'rsa1024' });
    const xml = await signed(BODY, weak);
    expect(codeOf(xml)).equal('algorithm');
    expect(codeOf(xml, { ...RULES, rsaBitsMin: 1024 })).equal(undefined);
    expect(codeOf(document, { methods: new Set<SignatureName>(['ES256']) })).equal('algorithm');
    expect(codeOf(document, { methods: new Set<SignatureName>() })).equal('algorithm');
  });

  it('[XS-01] every byte counts: none can be changed unseen', () => {
    const bytes = Buffer.from(document);
    let unseen = 0;
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ 1;
      let result: ReturnType<typeof verifyEnveloped> | undefined;
      try {
        result = verifyEnveloped(changed, RULES);
      } catch (error) {
        if (!(error instanceof SignatureFault)) throw error;
      }
      if (result && !result.bytes.equals(verifyEnveloped(document, RULES).bytes)) unseen += 1;
    }
    expect(unseen).equal(0);
  });

  it('[XS-01] a signed document in other hands: text that holds markup stays text', async () => {
    const body = '<o><patient>&lt;patient&gt;Mallory&lt;/patient&gt;</patient></o>';
    const { root: found } = verifyEnveloped(await signed(body), RULES);
    expect(ownText(found.children[0] as never)).equal('<patient>Mallory</patient>');
    expect(createHash('sha256').update(canonicalise(found)).digest('base64')).equal(
      /<DigestValue>([^<]*)/.exec(await signed(body))![1],
    );
  });
});
