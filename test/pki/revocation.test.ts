import { expect } from 'chai';
import { type PathResult, validatePath } from '../../src/pki/path-validation.ts';
import { checkRevocation, type RevocationMode } from '../../src/pki/revocation/check-path.ts';
import { isRevokedAt } from '../../src/pki/revocation/evidence.ts';
import { createRevocations, type Revocations, readAnyList } from '../../src/pki/revocation/revocations.ts';
import type { BytesRequest } from '../../src/ports/fetch-bytes.ts';
import { signerOf } from '../../src/standards/x509/algorithms.ts';
import { tagged } from '../../src/standards/x509/der-write.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import {
  certificateIdOf,
  formatOcspAnswer,
  formatOcspError,
  type OcspStatus,
  readOcspRequest,
} from '../../src/standards/x509/ocsp.ts';
import { EXTENSION } from '../../src/standards/x509/oids.ts';
import { formatPem } from '../../src/standards/x509/pem.ts';
import {
  issuingDistributionPoint,
  REVOCATION_REASONS,
  type RevocationReason,
} from '../../src/standards/x509/revocation-list.ts';
import { authority, client, DAY_MS, listOf, type Made, NOW, responder } from '../support/authority.ts';
import { silentLog } from '../support/log.ts';

const LIST = 'http://crl.example.org/middle.crl';
const ROOT_LIST = 'http://crl.example.org/root.crl';
const OCSP = 'http://ocsp.example.org/';

const root = authority('Root');
const middle = authority('Middle', { issuer: root, extensions: [extensions.crlDistributionPoints([ROOT_LIST])] });
const stranger = authority('Middle');
const listed = client('Listed', { issuer: middle, extensions: [extensions.crlDistributionPoints([LIST])] });
const asked = client('Asked', { issuer: middle, extensions: [extensions.authorityInfoAccess({ ocsp: [OCSP] })] });
const both = client('Both', {
  issuer: middle,
  extensions: [extensions.authorityInfoAccess({ ocsp: [OCSP] }), extensions.crlDistributionPoints([LIST])],
});
const silent = client('Silent', { issuer: middle });
const delegate = responder('Responder', { issuer: middle });
const compromised = { revokedAt: NOW - DAY_MS, reason: 'keyCompromise' } as const;
const superseded = { revokedAt: NOW - DAY_MS, reason: 'superseded' } as const;

type Answer = Buffer | Error | ((request: BytesRequest) => Buffer);

function world(answers: Readonly<Record<string, Answer>>, clock = { at: NOW }) {
  const requests: string[] = [];
  const served: Record<string, Answer> = { [ROOT_LIST]: listOf(root), ...answers };
  const revocations = createRevocations({
    now: () => clock.at,
    log: silentLog,
    fetch: async (request) => {
      requests.push(request.url);
      const answer = served[request.url];
      if (answer === undefined) throw new Error('the answer has status 404');
      if (answer instanceof Error) throw answer;
      return typeof answer === 'function' ? answer(request) : answer;
    },
  });
  return { revocations, requests, served, clock };
}

function pathOf({ certificate }: Made, at = NOW): NonNullable<PathResult['path']> {
  const found = validatePath(certificate, {
    anchors: [root.certificate],
    intermediates: [middle.certificate],
    at,
    use: 'client',
  });
  if (!found.path) throw new Error(found.refusal.message);
  return found.path;
}

async function check(
  made: Made,
  revocations: Revocations,
  {
    mode = 'fail-closed' as RevocationMode,
    ...more
  }: { mode?: RevocationMode; signedAt?: number; onUnknown?: () => void } = {},
): Promise<string | undefined> {
  const refusal = await checkRevocation(pathOf(made), { revocations, mode, log: silentLog, ...more });
  return refusal && `${refusal.code}: ${refusal.message.replace(/^.*?: /, '')}`;
}

/** A responder's answer about whatever is asked. */
const says =
  (
    status: OcspStatus,
    by: Made = middle,
    changes: {
      nonce?: Buffer;
      serial?: string;
      producedAt?: number;
      nextUpdate?: number | undefined;
      issuer?: Made;
    } = {},
  ) =>
  ({ post }: BytesRequest): Buffer => {
    const { ids, nonce } = readOcspRequest(post!.bytes);
    const { producedAt = NOW, issuer = middle } = changes;
    const id = ids[0]!;
    expect(id.issuerKeyHash.equals(certificateIdOf(id, issuer.certificate).issuerKeyHash)).equal(true);
    const said = changes.nonce ?? nonce;
    return formatOcspAnswer(
      {
        producedAt,
        singles: [
          {
            id: { ...id, serial: changes.serial ?? id.serial },
            status,
            thisUpdate: producedAt,
            ...('nextUpdate' in changes
              ? changes.nextUpdate !== undefined && { nextUpdate: changes.nextUpdate }
              : { nextUpdate: NOW + 60_000 }),
          },
        ],
        responder: by.certificate,
        ...(said && { nonce: said }),
      },
      signerOf(by.key),
    );
  };

const critical = (oid: string) => ({ oid, critical: true, value: tagged(0x05) });

describe('revocation', () => {
  const LISTS: readonly (readonly [what: string, list: Answer, expected: string | undefined])[] = [
    ['a list without it', listOf(middle, [[silent, compromised]]), undefined],
    ['an empty list', listOf(middle), undefined],
    ['a list in PEM', Buffer.from(formatPem('X509 CRL', listOf(middle))), undefined],
    ['a list for this very place', listOf(middle, [], { extensions: [issuingDistributionPoint(LIST)] }), undefined],
    [
      'a list with it',
      listOf(middle, [[listed, compromised]]),
      'revoked: it was revoked at 2030-05-31T12:00:00.000Z (keyCompromise)',
    ],
    [
      'a list with it on hold',
      listOf(middle, [[listed, { ...compromised, reason: 'certificateHold' }]]),
      'revoked: it was revoked at 2030-05-31T12:00:00.000Z (certificateHold)',
    ],
    [
      'a list that is out of date',
      listOf(middle, [], { nextUpdate: NOW - 1000 }),
      'revocation-unknown: the list is out of date',
    ],
    [
      'a list of the future',
      listOf(middle, [], { thisUpdate: NOW + DAY_MS }),
      'revocation-unknown: the list is of the future',
    ],
    [
      'a list signed by another key',
      listOf(middle, [], { signedBy: stranger }),
      'revocation-unknown: the list is not signed by the authority',
    ],
    ['a list of another authority', listOf(root), 'revocation-unknown: the list is of another authority'],
    [
      'a list for another place',
      listOf(middle, [], { extensions: [issuingDistributionPoint('http://crl.example.org/other.crl')] }),
      'revocation-unknown: the list is for another place than the certificate names',
    ],
    [
      'a list of changes',
      listOf(middle, [], { extensions: [critical(EXTENSION.deltaCrlIndicator)] }),
      'revocation-unknown: the list cannot be used: it holds changes only',
    ],
    [
      'a list with a critical extension that nobody knows',
      listOf(middle, [], { extensions: [critical('1.2.3')] }),
      'revocation-unknown: the list cannot be used: its critical extension 1.2.3 is not understood',
    ],
    [
      'what is no list',
      Buffer.from('<html>'),
      'revocation-unknown: the list cannot be had (there is no revocation list)',
    ],
    [
      'a list cut off',
      listOf(middle).subarray(0, 100),
      'revocation-unknown: the list cannot be had (the list is cut off)',
    ],
    ['a certificate in its place', middle.certificate.bytes, 'revocation-unknown: the list cannot be had'],
    ['no answer', new Error('it took too long'), 'revocation-unknown: the list cannot be had (it took too long)'],
  ];
  for (const [what, list, expected] of LISTS)
    it(`[PK-07] ${expected === undefined ? 'believes' : 'refuses'} after ${what}`, async () => {
      const { revocations } = world({ [LIST]: list });
      const refusal = await check(listed, revocations);
      if (expected === undefined) expect(refusal).equal(undefined);
      else expect(refusal?.startsWith(expected), refusal).equal(true);
    });

  const other = authority('Other');
  const ANSWERS: readonly (readonly [what: string, answer: Answer, expected: string | undefined])[] = [
    ['good, signed by the issuer', says('good'), undefined],
    ['good, signed by its delegate', says('good', delegate), undefined],
    ['good, without an end', says('good', middle, { nextUpdate: undefined }), undefined],
    ['revoked', says(compromised), 'revoked: it was revoked at 2030-05-31T12:00:00.000Z (keyCompromise)'],
    ['unknown', says('unknown'), 'revocation-unknown: the responder does not know the certificate'],
    [
      'good, signed by a stranger',
      says('good', responder('Responder', { issuer: stranger })),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by a client of the authority',
      says('good', client('Client', { issuer: middle })),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by the authority above',
      says('good', root),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by a delegate of another authority',
      says('good', responder('Responder', { issuer: other })),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by an expired delegate',
      says('good', responder('Responder', { issuer: middle, notAfter: NOW - DAY_MS })),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by a delegate with a weak key',
      says('good', responder('Responder', { issuer: middle, key: 'rsa1024' })),
      'revocation-unknown: the answer is not signed by the authority or by whom it has authorised',
    ],
    [
      'good, signed by a delegate of whom nobody says whether it is revoked',
      says('good', responder('Responder', { issuer: middle, without: [EXTENSION.ocspNoCheck] })),
      'revocation-unknown: the responder is revoked, or may be',
    ],
    [
      'good, of yesterday',
      says('good', middle, { producedAt: NOW - DAY_MS, nextUpdate: NOW - 1000 }),
      'revocation-unknown: the answer is out of date',
    ],
    [
      'good, of yesterday and without an end',
      says('good', middle, { producedAt: NOW - DAY_MS, nextUpdate: undefined }),
      'revocation-unknown: the answer is out of date',
    ],
    [
      'good, of tomorrow',
      says('good', middle, { producedAt: NOW + DAY_MS, nextUpdate: NOW + 2 * DAY_MS }),
      'revocation-unknown: the answer is of the future',
    ],
    [
      'good, to another question',
      says('good', middle, { nonce: Buffer.alloc(16) }),
      'revocation-unknown: the answer is to another question',
    ],
    [
      'good, about another certificate',
      says('good', middle, { serial: '01' }),
      'revocation-unknown: the answer is about another certificate',
    ],
    [
      'an error',
      formatOcspError('tryLater'),
      'revocation-unknown: the responder cannot be used (the responder answers with the error 3)',
    ],
    ['no answer', new Error('it took too long'), 'revocation-unknown: the responder cannot be used (it took too long)'],
  ];
  for (const [what, answer, expected] of ANSWERS)
    it(`[PK-07] ${expected === undefined ? 'believes' : 'refuses'} when a responder says: ${what}`, async () => {
      const { revocations } = world({ [OCSP]: answer });
      expect(await check(asked, revocations)).equal(expected);
    });

  it('[PK-07] asks the list when the responder is down, and refuses when both are', async () => {
    const { revocations } = world({ [LIST]: listOf(middle, [[both, superseded]]) });
    expect(await check(both, revocations)).match(/^revoked: .*superseded/);
    expect(await check(both, world({}).revocations)).match(/^revocation-unknown: the list cannot be had/);
  });

  it('[PK-07] looks at every certificate of the way but the anchor', async () => {
    const { revocations } = world({
      [LIST]: listOf(middle),
      [ROOT_LIST]: listOf(root, [[middle, { ...compromised, reason: 'cACompromise' }]]),
    });
    expect(await check(listed, revocations)).match(/^revoked: .*cACompromise/);
    expect(await check(listed, world({ [LIST]: listOf(middle), [ROOT_LIST]: new Error('down') }).revocations)).match(
      /^revocation-unknown/,
    );
  });

  it('[PK-07] refuses a certificate of which nobody tells, unless a list of its issuer is at hand', async () => {
    const { revocations } = world({});
    expect(await check(silent, revocations)).equal(
      'revocation-unknown: the certificate names no place where revocations are told',
    );
    revocations.setLists([readAnyList(listOf(middle))]);
    expect(await check(silent, revocations)).equal(undefined);
    revocations.setLists([readAnyList(listOf(middle, [[silent, compromised]]))]);
    expect(await check(silent, revocations)).match(/^revoked/);
    revocations.setLists([readAnyList(listOf(middle, [], { signedBy: stranger }))]);
    expect(await check(silent, revocations)).match(/^revocation-unknown/);
  });

  it('[PK-07] with fail-open believes what nobody can tell and counts it, yet refuses what is revoked; off asks nobody', async () => {
    let count = 0;
    const onUnknown = () => {
      count += 1;
    };
    expect(await check(listed, world({}).revocations, { mode: 'fail-open', onUnknown })).equal(undefined);
    expect(count).equal(1);
    const { revocations } = world({ [LIST]: listOf(middle, [[listed, compromised]]) });
    expect(await check(listed, revocations, { mode: 'fail-open' })).match(/^revoked/);
    const { revocations: unasked, requests } = world({});
    expect(await check(listed, unasked, { mode: 'off' })).equal(undefined);
    expect(requests).deep.equal([]);
  });

  it('[PK-07] keeps a list, looks at it anew after a while, and uses it to its end when no newer one is to be had', async () => {
    const { revocations, requests, served, clock } = world({
      [LIST]: listOf(middle, [], { nextUpdate: NOW + DAY_MS }),
    });
    for (let i = 0; i < 5; i++) expect(await check(listed, revocations)).equal(undefined);
    await Promise.all(Array.from({ length: 5 }, () => check(listed, revocations)));
    expect(requests.filter((url) => url === LIST)).length(1);
    clock.at += 11 * 60 * 1000;
    served[LIST] = new Error('down');
    expect(await check(listed, revocations)).equal(undefined);
    expect(requests.filter((url) => url === LIST)).length(2);
    clock.at = NOW + DAY_MS + 1000;
    served[ROOT_LIST] = listOf(root, [], { nextUpdate: NOW + 3 * DAY_MS });
    expect(await check(listed, revocations)).equal('revocation-unknown: the list is out of date');
    served[LIST] = listOf(middle, [[listed, compromised]], { nextUpdate: NOW + 3 * DAY_MS });
    clock.at += 60_000;
    expect(await check(listed, revocations)).match(/^revoked/);
  });

  it('[PK-05] a revocation is seen when what is kept is looked at anew', async () => {
    const { revocations, served, clock } = world({ [OCSP]: says('good', middle, { nextUpdate: NOW + DAY_MS }) });
    expect(await check(asked, revocations)).equal(undefined);
    served[OCSP] = says(compromised, middle, { nextUpdate: NOW + DAY_MS });
    expect(await check(asked, revocations)).equal(undefined);
    clock.at += 11 * 60 * 1000;
    expect(await check(asked, revocations)).match(/^revoked/);
  });

  it('[PK-07] a place that is down is not asked again and again', async () => {
    const { revocations, requests, clock } = world({});
    for (let i = 0; i < 5; i++) await check(listed, revocations);
    expect(requests.filter((url) => url === LIST)).length(1);
    clock.at += 31_000;
    await check(listed, revocations);
    expect(requests.filter((url) => url === LIST)).length(2);
  });

  it('[PK-07] asks neither files nor other schemes', async () => {
    const odd = client('Odd', {
      issuer: middle,
      extensions: [extensions.crlDistributionPoints(['ldap://example.org/x', 'file:///etc/passwd'])],
    });
    const { revocations, requests } = world({});
    expect(await check(odd, revocations)).match(/^revocation-unknown/);
    expect(requests).deep.equal([ROOT_LIST]);
  });

  const always = new Set<RevocationReason>(['keyCompromise', 'cACompromise', 'aACompromise']);
  for (const reason of REVOCATION_REASONS.values())
    it(`[XS-04] ${reason}: what was signed before ${always.has(reason) ? 'falls too' : 'stands'}, what was signed after falls`, async () => {
      const revocation = { revokedAt: NOW - DAY_MS, reason };
      expect(isRevokedAt(revocation, NOW - DAY_MS - 1)).equal(always.has(reason));
      expect(isRevokedAt(revocation, NOW - DAY_MS)).equal(true);
      expect(isRevokedAt(revocation, NOW)).equal(true);
      const { revocations } = world({ [LIST]: listOf(middle, [[listed, revocation]]) });
      const before = await check(listed, revocations, { signedAt: NOW - 2 * DAY_MS });
      expect(before !== undefined).equal(always.has(reason));
      expect(await check(listed, revocations, { signedAt: NOW })).match(/^revoked/);
    });

  it('[PK-07] reads a list of 100,000 entries without holding up the others for long', () => {
    const many = Array.from({ length: 100_000 }, (_, i): readonly [Made, typeof compromised] => [
      { ...listed, certificate: { ...listed.certificate, serial: (0x1000000 + i).toString(16).padStart(8, '0') } },
      compromised,
    ]);
    const bytes = listOf(middle, many);
    const started = performance.now();
    expect(readAnyList(bytes).revoked.size).equal(100_000);
    expect(performance.now() - started).below(30_000);
  });
});
