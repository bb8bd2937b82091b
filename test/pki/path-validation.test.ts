import { sign } from 'node:crypto';
import { expect } from 'chai';
import { type CertificateUse, type RefusalCode, validatePath } from '../../src/pki/path-validation.ts';
import type { X509Signer } from '../../src/standards/x509/algorithms.ts';
import { type Certificate, readCertificate } from '../../src/standards/x509/certificate.ts';
import { explicit, nothing, octets, oid, sequence } from '../../src/standards/x509/der-write.ts';
import { type Extension, extensions } from '../../src/standards/x509/extensions.ts';
import { formatGeneralName, type GeneralName } from '../../src/standards/x509/general-name.ts';
import { createName } from '../../src/standards/x509/name.ts';
import { EXTENSION, USAGE } from '../../src/standards/x509/oids.ts';
import {
  authority,
  client,
  DAY_MS,
  type Made,
  NOW,
  nameOf,
  responder,
  server,
  signatory,
} from '../support/authority.ts';

interface Case {
  readonly what: string;
  /** The leaf, then what comes along. */
  readonly chain: () => readonly Made[];
  readonly anchors?: () => readonly Made[];
  readonly use?: CertificateUse;
  readonly at?: number;
  readonly policy?: string;
  /** Undefined: it is believed. */
  readonly refused?: RefusalCode;
}

const root = authority('Root', { pathLength: 1 });
const middle = authority('Middle', { issuer: root, pathLength: 0 });
const wide = authority('Wide root');
const first = authority('First', { issuer: wide });
const second = authority('Second', { issuer: first });
const stranger = authority('Root'); // the same name, another key
const of = (issuer: Made) => ({ issuer });

/** Signs as the key does, and says it was another algorithm. */
const withAlgorithm =
  (id: string, hash: string) =>
  (key: Parameters<typeof sign>[2]): X509Signer => ({
    algorithm: sequence(oid(id), ...(id.startsWith('1.2.840.113549') ? [nothing] : [])),
    sign: (bytes) => sign(hash, bytes, key as never), // a KeyObject
  });
const SHA1_RSA = withAlgorithm('1.2.840.113549.1.1.5', 'sha1');
const SHA1_EC = withAlgorithm('1.2.840.10045.4.1', 'sha1');
const MD5_RSA = withAlgorithm('1.2.840.113549.1.1.4', 'md5');
const UNKNOWN_ALGORITHM = withAlgorithm('1.2.3.4', 'sha256');

const critical = (id: string): Extension => ({ oid: id, critical: true, value: nothing });
const subtrees = (n: 0 | 1, ...names: readonly Buffer[]): Buffer => explicit(n, ...names.map((name) => sequence(name)));
const constraints = (isCritical: boolean, ...trees: readonly Buffer[]): Extension => ({
  oid: EXTENSION.nameConstraints,
  critical: isCritical,
  value: sequence(...trees),
});
const dns = (value: string): Buffer => formatGeneralName({ kind: 'dns', value });
const uri = (value: string): Buffer => formatGeneralName({ kind: 'uri', value });
const mail = (value: string): Buffer => formatGeneralName({ kind: 'email', value });
const directory = (name: GeneralName & { kind: 'directory' }): Buffer => formatGeneralName(name);
const network = (...bytes: readonly number[]): Buffer => Buffer.from([0x87, bytes.length, ...bytes]);
const names = (...sans: readonly string[]): Extension => extensions.subjectAltName(sans);
const under = (constraint: Extension): Made => authority('Bounded', { issuer: wide, extensions: [constraint] });

const exampleOnly = under(constraints(true, subtrees(0, dns('example.org'))));
const notSecret = under(constraints(false, subtrees(1, dns('secret.example.org'))));
const networkOnly = under(constraints(true, subtrees(0, network(10, 1, 0, 0, 255, 255, 0, 0))));
const uriOnly = under(constraints(true, subtrees(0, uri('.example.org'))));
const mailOnly = under(constraints(true, subtrees(0, mail('example.org'))));
const nameOnly = under(
  constraints(true, subtrees(0, directory({ kind: 'directory', value: createName([['O', 'Example']]) }))),
);
const oddConstraint = under(constraints(true, subtrees(0, Buffer.from([0x88, 1, 42]))));

const CASES: readonly Case[] = [
  { what: 'a leaf of the anchor itself', chain: () => [client('a', of(root))], anchors: () => [root] },
  { what: 'a leaf of an intermediate', chain: () => [client('a', of(middle)), middle], anchors: () => [root] },
  { what: 'intermediates in any order', chain: () => [client('a', of(second)), first, second], anchors: () => [wide] },
  {
    what: 'an intermediate as anchor, without its root',
    chain: () => [client('a', of(middle))],
    anchors: () => [middle],
  },
  {
    what: 'needless certificates beside the way',
    chain: () => [client('a', of(middle)), stranger, first, middle, root],
    anchors: () => [root],
  },
  { what: 'an RSA key', chain: () => [client('a', { issuer: root, key: 'rsa2048' })], anchors: () => [root] },
  { what: 'an Ed25519 key', chain: () => [client('a', { issuer: root, key: 'ed25519' })], anchors: () => [root] },
  { what: 'a P-384 authority', chain: () => [client('a', of(p384))], anchors: () => [p384] },
  { what: 'an RSA authority', chain: () => [client('a', of(rsaRoot))], anchors: () => [rsaRoot] },
  {
    what: 'an authority renewed with another key, of two with one name',
    chain: () => [client('a', of(renewed))],
    anchors: () => [root, renewed],
  },
  {
    what: 'a certificate without an identifier of its issuer',
    chain: () => [client('a', { issuer: root, without: [EXTENSION.authorityKeyIdentifier] })],
    anchors: () => [root],
  },
  {
    what: 'one that is issued to itself with another key, which does not count in the path length',
    chain: () => {
      const rolled = authority('Root', { issuer: root, pathLength: 0 });
      return [client('a', of(rolled)), rolled];
    },
    anchors: () => [root],
  },
  {
    what: 'an intermediate for clients only',
    chain: () => {
      const ca = authority('For clients', {
        issuer: root,
        extensions: [extensions.extendedKeyUsage([USAGE.clientAuth])],
      });
      return [client('a', of(ca)), ca];
    },
    anchors: () => [root],
  },
  {
    what: 'critical policies when none is asked for',
    chain: () => [client('a', { issuer: root, extensions: [extensions.certificatePolicies(['1.2.3.4'], true)] })],
    anchors: () => [root],
  },
  {
    what: 'the policy that is asked for',
    chain: () => [client('a', { issuer: root, extensions: [extensions.certificatePolicies(['1.2.3.4', '1.2.3.5'])] })],
    anchors: () => [root],
    policy: '1.2.3.5',
  },
  { what: 'a server', chain: () => [server('a.example.org', of(root))], anchors: () => [root], use: 'server' },
  { what: 'a signatory', chain: () => [signatory('a', of(root))], anchors: () => [root], use: 'signing' },
  { what: 'a responder', chain: () => [responder('a', of(root))], anchors: () => [root], use: 'ocsp' },
  {
    what: 'its last second',
    chain: () => [client('a', { issuer: root, notAfter: NOW })],
    anchors: () => [root],
    at: NOW + 999,
  },
  { what: 'its first second', chain: () => [client('a', { issuer: root, notBefore: NOW })], anchors: () => [root] },
  {
    what: 'the time of signing, when it was valid',
    chain: () => [signatory('a', { issuer: root, notAfter: NOW - DAY_MS })],
    anchors: () => [root],
    use: 'signing',
    at: NOW - 2 * DAY_MS,
  },
  {
    what: 'a name within the constraint',
    chain: () => [
      client('a', { issuer: exampleOnly, extensions: [names('a.example.org', 'example.org')] }),
      exampleOnly,
    ],
    anchors: () => [wide],
  },
  {
    what: 'an address within the constraint',
    chain: () => [client('a', { issuer: networkOnly, extensions: [names('10.1.2.3')] }), networkOnly],
    anchors: () => [wide],
  },
  {
    what: 'a URI within the constraint',
    chain: () => [client('a', { issuer: uriOnly, extensions: [names('https://a.example.org/x')] }), uriOnly],
    anchors: () => [wide],
  },
  {
    what: 'a subject within the constraint',
    chain: () => [client('a', of(nameOnly)), nameOnly],
    anchors: () => [wide],
  },

  {
    what: 'no anchors at all',
    chain: () => [client('a', of(root)), root],
    anchors: () => [],
    refused: 'unknown-issuer',
  },
  {
    what: 'an unknown authority',
    chain: () => [client('a', of(wide)), wide],
    anchors: () => [root],
    refused: 'unknown-issuer',
  },
  {
    what: 'a root that is brought along',
    chain: () => [client('a', of(stranger)), stranger],
    anchors: () => [root],
    refused: 'unknown-issuer',
  },
  { what: 'one that signs itself', chain: () => [client('a')], anchors: () => [root], refused: 'unknown-issuer' },
  {
    what: 'a missing intermediate',
    chain: () => [client('a', of(middle))],
    anchors: () => [root],
    refused: 'unknown-issuer',
  },
  {
    what: 'a signature by another key of the same name',
    chain: () => [client('a', { issuer: stranger, without: [EXTENSION.authorityKeyIdentifier] })],
    anchors: () => [root],
    refused: 'unknown-issuer',
  },
  {
    what: 'the name of another issuer than the one that signed',
    chain: () => [client('a', { issuer: wide, issuerName: nameOf('Root') })],
    anchors: () => [root, wide],
    refused: 'unknown-issuer',
  },
  {
    what: 'a leaf as issuer',
    chain: () => {
      const bad = client('Leaf', of(root));
      return [client('a', of(bad)), bad];
    },
    anchors: () => [root],
    refused: 'not-an-authority',
  },
  {
    what: 'an issuer without basic constraints',
    chain: () => {
      const bad = authority('Old', { issuer: root, without: [EXTENSION.basicConstraints] });
      return [client('a', of(bad)), bad];
    },
    anchors: () => [root],
    refused: 'not-an-authority',
  },
  {
    what: 'an anchor that is no authority',
    chain: () => [client('a', of(plain))],
    anchors: () => [plain],
    refused: 'not-an-authority',
  },
  {
    what: 'an issuer whose key signs lists only',
    chain: () => {
      const bad = authority('Lists', { issuer: root, extensions: [extensions.keyUsage('cRLSign')] });
      return [client('a', of(bad)), bad];
    },
    anchors: () => [root],
    refused: 'not-an-authority',
  },
  {
    what: 'an authority too many',
    chain: () => {
      const deep = authority('Deep', of(middle));
      return [client('a', of(deep)), deep, middle];
    },
    anchors: () => [root],
    refused: 'path-too-long',
  },
  {
    what: 'two authorities too many',
    chain: () => {
      const a = authority('A', of(root));
      const b = authority('B', of(a));
      return [client('a', of(b)), b, a];
    },
    anchors: () => [root],
    refused: 'path-too-long',
  },
  { what: 'a way longer than any', chain: () => longChain(9), anchors: () => [wide], refused: 'unknown-issuer' },
  {
    what: 'an expired leaf',
    chain: () => [client('a', { issuer: root, notAfter: NOW - 1000 })],
    anchors: () => [root],
    refused: 'expired',
  },
  {
    what: 'a leaf of tomorrow',
    chain: () => [client('a', { issuer: root, notBefore: NOW + DAY_MS })],
    anchors: () => [root],
    refused: 'not-yet-valid',
  },
  {
    what: 'an expired intermediate',
    chain: () => {
      const old = authority('Old', { issuer: root, notAfter: NOW - DAY_MS });
      return [client('a', of(old)), old];
    },
    anchors: () => [root],
    refused: 'expired',
  },
  { what: 'an expired anchor', chain: () => [client('a', of(oldRoot))], anchors: () => [oldRoot], refused: 'expired' },
  {
    what: 'a server as client',
    chain: () => [server('a.example.org', of(root))],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a client as server',
    chain: () => [client('a', of(root))],
    anchors: () => [root],
    use: 'server',
    refused: 'wrong-usage',
  },
  {
    what: 'a client as responder',
    chain: () => [client('a', of(root))],
    anchors: () => [root],
    use: 'ocsp',
    refused: 'wrong-usage',
  },
  {
    what: 'a client as signatory',
    chain: () => [client('a', of(root))],
    anchors: () => [root],
    use: 'signing',
    refused: 'wrong-usage',
  },
  {
    what: 'a server as signatory',
    chain: () => [server('a.example.org', of(root))],
    anchors: () => [root],
    use: 'signing',
    refused: 'wrong-usage',
  },
  {
    what: 'a signatory as client',
    chain: () => [signatory('a', of(root))],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a signatory as server',
    chain: () => [signatory('a', of(root))],
    anchors: () => [root],
    use: 'server',
    refused: 'wrong-usage',
  },
  {
    what: 'a responder as client',
    chain: () => [responder('a', of(root))],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a client whose usage is not said',
    chain: () => [client('a', { issuer: root, without: [EXTENSION.extendedKeyUsage] })],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a client for any use',
    chain: () => [client('a', { issuer: root, extensions: [extensions.extendedKeyUsage([USAGE.any])] })],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a client whose key only encrypts',
    chain: () => [client('a', { issuer: root, extensions: [extensions.keyUsage('keyEncipherment')] })],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a signatory whose key usage is not said',
    chain: () => [signatory('a', { issuer: root, without: [EXTENSION.keyUsage] })],
    anchors: () => [root],
    use: 'signing',
    refused: 'wrong-usage',
  },
  {
    what: 'an authority as client',
    chain: () => [
      authority('CA', {
        issuer: root,
        extensions: [
          extensions.extendedKeyUsage([USAGE.clientAuth]),
          extensions.keyUsage('digitalSignature', 'keyCertSign'),
        ],
      }),
    ],
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'a client of an intermediate for servers',
    chain: () => {
      const ca = authority('For servers', {
        issuer: root,
        extensions: [extensions.extendedKeyUsage([USAGE.serverAuth])],
      });
      return [client('a', of(ca)), ca];
    },
    anchors: () => [root],
    refused: 'wrong-usage',
  },
  {
    what: 'an RSA key of 1024 bits',
    chain: () => [client('a', { issuer: root, key: 'rsa1024' })],
    anchors: () => [root],
    refused: 'weak',
  },
  {
    what: 'an intermediate with an RSA key of 1024 bits',
    chain: () => {
      const weak = authority('Weak', { issuer: root, key: 'rsa1024' });
      return [client('a', of(weak)), weak];
    },
    anchors: () => [root],
    refused: 'weak',
  },
  {
    what: 'an anchor with an RSA key of 1024 bits',
    chain: () => [client('a', of(weakRoot))],
    anchors: () => [weakRoot],
    refused: 'weak',
  },
  {
    what: 'a curve that is not accepted',
    chain: () => [client('a', { issuer: root, key: 'secp256k1' })],
    anchors: () => [root],
    refused: 'weak',
  },
  {
    what: 'a DSA key',
    chain: () => [client('a', { issuer: root, key: 'dsa' })],
    anchors: () => [root],
    refused: 'weak',
  },
  {
    what: 'RSA with SHA-1',
    chain: () => [client('a', { issuer: rsaRoot, signer: SHA1_RSA })],
    anchors: () => [rsaRoot],
    refused: 'weak',
  },
  {
    what: 'ECDSA with SHA-1',
    chain: () => [client('a', { issuer: root, signer: SHA1_EC })],
    anchors: () => [root],
    refused: 'weak',
  },
  {
    what: 'an intermediate signed with SHA-1',
    chain: () => {
      const old = authority('Old', { issuer: rsaRoot, signer: SHA1_RSA });
      return [client('a', of(old)), old];
    },
    anchors: () => [rsaRoot],
    refused: 'weak',
  },
  {
    what: 'MD5',
    chain: () => [client('a', { issuer: rsaRoot, signer: MD5_RSA })],
    anchors: () => [rsaRoot],
    refused: 'unknown-issuer',
  },
  {
    what: 'an algorithm that nobody knows',
    chain: () => [client('a', { issuer: root, signer: UNKNOWN_ALGORITHM })],
    anchors: () => [root],
    refused: 'unknown-issuer',
  },
  {
    what: 'an unknown critical extension of the leaf',
    chain: () => [client('a', { issuer: root, extensions: [critical('1.2.3.4.5')] })],
    anchors: () => [root],
    refused: 'critical-extension',
  },
  {
    what: 'an unknown critical extension of an intermediate',
    chain: () => {
      const odd = authority('Odd', { issuer: root, extensions: [critical('1.2.3.4.5')] });
      return [client('a', of(odd)), odd];
    },
    anchors: () => [root],
    refused: 'critical-extension',
  },
  {
    what: 'a policy constraint',
    chain: () => {
      const odd = authority('Odd', { issuer: root, extensions: [critical(EXTENSION.policyConstraints)] });
      return [client('a', of(odd)), odd];
    },
    anchors: () => [root],
    refused: 'critical-extension',
  },
  {
    what: 'the absence of the policy that is asked for',
    chain: () => [client('a', { issuer: root, extensions: [extensions.certificatePolicies(['1.2.3.4'])] })],
    anchors: () => [root],
    policy: '1.2.3.5',
    refused: 'policy',
  },
  {
    what: 'a name outside the constraint',
    chain: () => [
      client('a', { issuer: exampleOnly, extensions: [names('a.example.org', 'a.example.com')] }),
      exampleOnly,
    ],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'a name that only ends like the constraint',
    chain: () => [client('a', { issuer: exampleOnly, extensions: [names('badexample.org')] }), exampleOnly],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'an excluded name, also of a constraint that is not critical',
    chain: () => [client('a', { issuer: notSecret, extensions: [names('a.secret.example.org')] }), notSecret],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'an address outside the constraint',
    chain: () => [client('a', { issuer: networkOnly, extensions: [names('10.2.0.1')] }), networkOnly],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'a URI outside the constraint',
    chain: () => [client('a', { issuer: uriOnly, extensions: [names('https://example.com/.example.org')] }), uriOnly],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'an e-mail address in the subject outside the constraint',
    chain: () => [
      client('a', {
        issuer: mailOnly,
        subject: createName([
          ['CN', 'a'],
          ['emailAddress', 'a@example.com'],
        ]),
      }),
      mailOnly,
    ],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'a subject outside the constraint',
    chain: () => [
      client('a', {
        issuer: nameOnly,
        subject: createName([
          ['O', 'Other'],
          ['CN', 'a'],
        ]),
      }),
      nameOnly,
    ],
    anchors: () => [wide],
    refused: 'names',
  },
  {
    what: 'a constraint of a kind that is not understood',
    chain: () => [client('a', of(oddConstraint)), oddConstraint],
    anchors: () => [wide],
    refused: 'names',
  },
];

const p384 = authority('P-384', { key: 'p384' });
const rsaRoot = authority('RSA', { key: 'rsa2048' });
const renewed = authority('Root');
const oldRoot = authority('Old root', { notAfter: NOW - DAY_MS });
const weakRoot = authority('Weak root', { key: 'rsa1024' });
const plain = client('Plain');

function longChain(length: number): readonly Made[] {
  const chain: Made[] = [];
  for (let issuer = wide; chain.length < length; chain.unshift(issuer))
    issuer = authority(`Link ${chain.length}`, { issuer });
  return [client('a', of(chain[0]!)), ...chain];
}

const certificates = (list: readonly Made[]): readonly Certificate[] => list.map(({ certificate }) => certificate);

describe('path validation', () => {
  for (const { what, chain, anchors = () => [], use = 'client', at = NOW, policy, refused } of CASES)
    it(`[PK-06] ${refused ? `refuses (${refused})` : 'believes'} ${what}`, () => {
      const [leaf, ...intermediates] = certificates(chain());
      const options = {
        anchors: certificates(anchors()),
        intermediates,
        at,
        use,
        ...(policy !== undefined && { policy }),
      };
      const { path, refusal } = validatePath(leaf!, options);
      expect(refusal?.code).equal(refused);
      if (refused) expect(refusal?.message).match(/^certificate [0-9a-f]+ of /);
      else expect(path?.[0]).equal(leaf);
    });

  it('[PK-06] has forty chains at least', () => expect(CASES.length).least(40));

  const makers = { server, client, signing: signatory, ocsp: responder } as const;
  for (const use of ['server', 'client', 'signing', 'ocsp'] as const)
    for (const [kind, make] of Object.entries(makers))
      it(`[PK-03] a ${kind} certificate ${kind === use ? 'is' : 'is not'} taken for ${use}`, () => {
        const { certificate } = make('a.example.org', of(root));
        const { refusal } = validatePath(certificate, { anchors: [root.certificate], at: NOW, use });
        expect(refusal?.code).equal(kind === use ? undefined : 'wrong-usage');
      });

  it('[PK-06] does not go on for ever among authorities that all have one name', () => {
    const crowd = Array.from({ length: 30 }, () =>
      authority('Crowd', { issuer: root, without: [EXTENSION.subjectKeyIdentifier] }),
    );
    const lost = client('a', { issuer: authority('Crowd'), without: [EXTENSION.authorityKeyIdentifier] });
    const started = performance.now();
    const { refusal } = validatePath(lost.certificate, {
      anchors: [wide.certificate],
      intermediates: certificates(crowd),
      at: NOW,
      use: 'client',
    });
    expect(refusal?.code).equal('unknown-issuer');
    expect(performance.now() - started).below(30_000);
  });

  it('[PK-06] a bit changed anywhere makes a certificate that is not believed', () => {
    const { certificate } = client('a', of(root));
    let believed = 0;
    for (let at = 0; at < certificate.bytes.length; at++) {
      const changed = Buffer.from(certificate.bytes);
      changed[at]! ^= 1 << (at % 8);
      try {
        const { path } = validatePath(readCertificate(changed), {
          anchors: [root.certificate],
          at: NOW,
          use: 'client',
        });
        if (path) believed += 1;
      } catch (error) {
        expect((error as Error).name).equal('DerFault');
      }
    }
    expect(believed).equal(0);
  });

  it('[PK-06] an extension that stands twice is not read', () => {
    const twice = [
      extensions.keyUsage('digitalSignature'),
      { ...extensions.keyUsage('digitalSignature'), value: octets(nothing) },
    ];
    expect(() => client('a', { issuer: root, extensions: twice })).throw('stands twice');
  });
});
