import { expect } from 'chai';
import { headerLeaves } from '../../../src/mapping/telecom/header-leaves.ts';
import { telecomFromFhir, telecomMessageOf, telecomToFhir } from '../../../src/mapping/telecom/map-message.ts';
import { leavesOf } from '../../../src/mapping/telecom/paths.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import type { TelecomMessage } from '../../../src/standards/telecom/message.ts';
import { parseTelecom } from '../../../src/standards/telecom/parse.ts';
import {
  MUTATIONS,
  mutate,
  publishedTelecom,
  SAMPLES_NEEDED,
  telecomFixture,
  telecomFixtures,
} from '../../standards/telecom/samples.ts';
import { testDefinitions } from '../../support/definitions.ts';

interface Json {
  readonly [name: string]: unknown;
}

const AT = { receivedAt: Date.UTC(2026, 0, 16) };

/** Through JSON, as a store would keep it. */
const bundleOf = (message: TelecomMessage): unknown => parseJson(formatJson(telecomToFhir(message, AT).value));
const resourcesOf = (bundle: unknown, type: string): Json[] =>
  (bundle as { entry: { resource: Json }[] }).entry
    .map(({ resource }) => resource)
    .filter(({ resourceType }) => resourceType === type);

/** Every field with its value; amounts with and without leading zeros are the same. */
function contentOf(message: TelecomMessage | undefined): unknown {
  if (!message) return undefined;
  const plain = (leaves: readonly { path: string; text: string }[]): string[] =>
    leaves.map(({ path, text }) => `${path}=${text}`).toSorted();
  return {
    side: message.side,
    code: message.header['A3'],
    header: plain(headerLeaves(message.header, message.side)),
    transmission: plain(leavesOf(message.transmission)),
    transactions: message.transactions.map((group) => plain(leavesOf(group))),
  };
}

function returns(raw: Buffer, id: string): void {
  const { message } = parseTelecom(raw);
  if (!message || message.transactions.length > 4) return;
  const back = telecomMessageOf(bundleOf(message));
  expect(back.issues.filter(isError), id).deep.equal([]);
  expect(contentOf(back.value), id).deep.equal(contentOf(message));
}

const message = (id: string): TelecomMessage => {
  const read = parseTelecom(telecomFixture(id)).message;
  if (!read) throw new Error(`${id} is not read`);
  return read;
};
const claimOf = (id: string): Json => resourcesOf(bundleOf(message(id)), 'Claim')[0] ?? {};
const change = (id: string, from: string, to: string): Buffer => {
  const text = telecomFixture(id).toString('latin1');
  if (!text.includes(from)) throw new Error(`${from} is not there`);
  return Buffer.from(text.replace(from, to), 'latin1');
};

describe('telecom › D.0 to FHIR and back', () => {
  for (const { id, raw } of telecomFixtures) it(`${id}: no field is lost`, () => returns(raw, id));

  it('nor of any published sample', function () {
    const samples = publishedTelecom();
    if (!samples) {
      console.log(`      ${SAMPLES_NEEDED}`);
      return this.skip();
    }
    for (const { id, raw } of samples) if (id !== 'cosyte-pbm-reject-unknown') returns(raw, id);
  });

  it('written again by our own hand, a valid message has the same bytes', () => {
    // These have another order of fields, leading zeros, a carrier's frame, a private segment without rows.
    const other = new Set([
      'b1-cii-partial',
      'b1-refill-fill2',
      'b1-money-zero-padded',
      'b1-etx-terminated',
      'b1-unknown-segment',
    ]);
    for (const { id, raw, structural } of telecomFixtures) {
      if (structural !== 'valid' || other.has(id)) continue;
      const { value } = telecomFromFhir(bundleOf(message(id)));
      const plain = (text: string): string => text.replace('EC02', 'EC2');
      expect(value?.toString('latin1'), id).equal(plain(raw.toString('latin1')));
    }
  });

  it('what comes of it is R4', () => {
    const validate = createValidator(testDefinitions());
    for (const { id, structural } of telecomFixtures) {
      if (structural !== 'valid') continue;
      for (const { resource } of (bundleOf(message(id)) as { entry: { resource: Json }[] }).entry) {
        const faults = validate(resource).filter(isError);
        expect(faults, `${id} ${String(resource['resourceType'])}`).deep.equal([]);
      }
    }
  });

  it(`${MUTATIONS / 10} mutated messages go through, and back, without a fault of ours`, function () {
    this.timeout(600_000);
    for (let seed = 0; seed < MUTATIONS / 10; seed++) {
      const { raw } = telecomFixtures[seed % telecomFixtures.length] ?? { raw: Buffer.alloc(0) };
      const read = parseTelecom(mutate(raw, seed)).message;
      if (!read || read.header['A3'] === 'E1') continue;
      const back = telecomMessageOf(bundleOf(read)).value;
      if (read.transactions.length > 0 && read.transactions.length <= 4)
        expect(back?.transactions.length, String(seed)).equal(read.transactions.length);
    }
  });
});

describe('telecom › Claim', () => {
  it('b1-primary: the drug, the amounts with their digits, the payer, who prescribed', () => {
    const claim = claimOf('b1-primary');
    const text = formatJson(claim);
    expect(text).include('"net":{"value":6501.50,"currency":"USD"}').and.include('"value":2.000');
    expect(claim).nested.property('item[0].productOrService.coding[0].system', 'http://hl7.org/fhir/sid/ndc');
    expect(claim).nested.property('item[0].productOrService.coding[0].code', '00074055402');
    expect(claim).nested.property('item[0].servicedDate', '2026-01-16');
    expect(claim).nested.property('prescription.identifier.value', '000001000231');
    const bundle = bundleOf(message('b1-primary'));
    expect(resourcesOf(bundle, 'Coverage')[0]).nested.property('subscriberId', 'W123456789');
    expect(resourcesOf(bundle, 'Practitioner')[0]).nested.property('identifier[0].value', '1043218761');
    expect(resourcesOf(bundle, 'Patient')[0]).nested.property('birthDate', '1987-03-14');
  });

  it('b1-tertiary-two-payers: payers before it stand in order in the insurance', () => {
    const insurance = claimOf('b1-tertiary-two-payers')['insurance'] as { focal: boolean; sequence: number }[];
    expect(insurance.map(({ focal, sequence }) => [sequence, focal])).deep.equal([
      [1, true],
      [2, false],
      [3, false],
    ]);
  });

  it('b2-primary is a cancelled Claim; b3-rebill a B3 again', () => {
    expect(claimOf('b2-primary')['status']).equal('cancelled');
    expect(telecomMessageOf(bundleOf(message('b3-rebill'))).value?.header['A3']).equal('B3');
  });

  it('b1-two-transactions: two Claims of one Coverage; claims that disagree are refused', () => {
    const bundle = bundleOf(message('b1-two-transactions')) as { entry: { resource: Json }[] };
    expect(resourcesOf(bundle, 'Claim').length).equal(2);
    expect(resourcesOf(bundle, 'Coverage').length).equal(1);
    const claim = resourcesOf(bundle, 'Claim')[1] as { item: { servicedDate: string }[] };
    (claim.item[0] ?? { servicedDate: '' }).servicedDate = '2026-01-17';
    expect(
      telecomFromFhir(bundle)
        .issues.filter(isError)
        .map(({ code }) => code),
    ).include('conflict');
  });

  it('a price that does not balance is refused, with the difference', () => {
    const raw = change('b1-primary', 'DU65015{', 'DU65025{');
    const read = parseTelecom(raw).message;
    const { value, issues } = telecomFromFhir(read && bundleOf(read));
    expect(value).equal(undefined);
    expect(issues.find(isError)?.diagnostics).equal(
      'Transaction 1 AM11 430-DU is 1.00 more than the sum of its parts (gross-amount)',
    );
  });

  it('what FHIR has no element for is counted', () => {
    const { issues } = telecomToFhir(message('b1-unknown-segment'), AT);
    expect(issues).deep.equal([
      {
        severity: 'information',
        code: 'informational',
        diagnostics: '1 fields have no element in FHIR and are kept in extensions of Claim',
        expression: ['XX/+0/A1'],
      },
    ]);
  });

  it('a Claim that a client wrote: references by identifier, fields by their numbers', () => {
    const field = (code: string, value: Json, sequence: number): Json => ({
      sequence,
      category: { text: 'claim' },
      code: { coding: [{ system: 'https://mortar-fhir.org/CodeSystem/telecom-field', code }] },
      ...value,
    });
    const cost = (value: number): Json => ({ valueQuantity: { value, code: 'USD' } });
    const claim = {
      resourceType: 'Claim',
      provider: { identifier: { system: 'http://hl7.org/fhir/sid/us-npi', value: '1629384755' } },
      insurance: [{ focal: true, coverage: { reference: '#plan' } }],
      contained: [
        {
          resourceType: 'Coverage',
          id: 'plan',
          subscriberId: 'W1',
          class: [['rxbin', '004336'] as const, ['rxpcn', 'ADV'] as const].map(([code, value]) => ({
            type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/coverage-class', code }] },
            value,
          })),
        },
      ],
      prescription: { identifier: { value: '1000231' } },
      item: [
        {
          servicedDate: '2026-01-16',
          productOrService: { coding: [{ system: 'http://hl7.org/fhir/sid/ndc', code: '00074055402' }] },
          quantity: { value: 2 },
          net: { value: 11.5, currency: 'USD' },
        },
      ],
      supportingInfo: [
        field('403-D3', { valueString: '0' }, 1),
        field('405-D5', { valueString: '28' }, 2),
        field('406-D6', { valueString: '1' }, 3),
        field('409-D9', cost(10), 4),
        field('412-DC', cost(1.5), 5),
      ],
    };
    const { value, issues } = telecomFromFhir(claim, { softwareId: 'MORTAR' });
    expect(issues.filter(isError)).deep.equal([]);
    expect(value?.toString('latin1')).equal(
      '004336D0B1ADV       1011629384755     20260116MORTAR    \u001E\u001CAM04\u001CC2W1\u001D\u001E\u001CAM07\u001CEM1' +
        '\u001CD21000231\u001CE103\u001CD700074055402\u001CE70000002000\u001CD30\u001CD528\u001CD61' +
        '\u001E\u001CAM11\u001CD9100{\u001CDC15{\u001CDU115{',
    );
  });
});

describe('telecom › ClaimResponse', () => {
  const responses = (id: string): Json[] => resourcesOf(bundleOf(message(id)), 'ClaimResponse');

  it('paid: what the plan pays is the benefit, what the patient pays an adjudication', () => {
    const [response = {}] = responses('b1-primary-response-paid');
    expect(response['outcome']).equal('complete');
    expect(response['preAuthRef']).equal('260116000001');
    expect(formatJson(response['total'])).include('"amount":{"value":5701.50,"currency":"USD"}');
    expect(formatJson(response['item'])).include('"code":"505-F5"').and.include('"value":500.00');
  });

  it('rejected: codes with their meaning, and the words of the payer', () => {
    const [response = {}] = responses('b1-response-reject-75');
    expect(response['outcome']).equal('error');
    expect(response).nested.property('error[0].code.coding[0].code', '75');
    expect(response).nested.property('error[0].code.coding[0].display', 'Prior Authorization Required');
    expect(response['disposition']).equal('PA REQUIRED CALL 8005550111');
  });

  it('a paid status with reject codes is an error, a captured or deferred one is queued', () => {
    expect(responses('bad-response-paid-with-reject')[0]?.['outcome']).equal('error');
    expect(responses('b1-response-captured')[0]?.['outcome']).equal('queued');
    expect(responses('b1-response-pa-deferred')[0]?.['outcome']).equal('queued');
  });

  it('alerts become DetectedIssues, other payers draft Coverages', () => {
    const alerts = resourcesOf(bundleOf(message('b1-response-reject-88-dur')), 'DetectedIssue');
    expect(alerts.map(({ severity, detail }) => [severity, detail])).deep.equal([
      ['high', 'WARFARIN'],
      ['moderate', 'NSAID'],
    ]);
    const [coverage] = resourcesOf(bundleOf(message('b1-response-reject-41-cob')), 'Coverage');
    expect(coverage).property('status', 'draft');
    expect(coverage).nested.property('class[0].value', '004336');
    const [found] = resourcesOf(bundleOf(message('e1-response-found')), 'CoverageEligibilityResponse');
    expect(found).nested.property('insurance[0].inforce', true);
    const [lost] = resourcesOf(bundleOf(message('e1-response-notfound')), 'CoverageEligibilityResponse');
    expect(lost).nested.property('error[0].code.coding[0].code', 'N1');
  });
});
