/** Faults of a signed order of repeat dispensing in secondary care: one change of our own message a case. */
import { AT_MOST, FEW, INVALID, MANY } from './issues.ts';
import { type Row, resourceAt, testRows } from './rows.ts';

const OF_REQUEST = 'Bundle.entry.resource.ofType(MedicationRequest)';
const ITEM_1 = resourceAt(1);

const D = `${ITEM_1}/dispenseRequest`;
const SIGNATURE = '/entry/11/resource/signature';
const WHO = { reference: 'urn:uuid:4d72387f-00d9-546c-b06c-499ae27d4a11' };

const REPEAT_DISPENSING_ROWS: readonly Row[] = [
  [
    'P7 no validity period',
    [[`${D}/validityPeriod`, undefined]],
    [
      `error/value: Expected MedicationRequest to have a value for dispenseRequest.validityPeriod. @ ${OF_REQUEST}.dispenseRequest.validityPeriod`,
    ],
  ],
  [
    'P7 no supply duration',
    [[`${D}/expectedSupplyDuration`, undefined]],
    [
      `error/value: Expected MedicationRequest to have a value for dispenseRequest.expectedSupplyDuration. @ ${OF_REQUEST}.dispenseRequest.expectedSupplyDuration`,
    ],
  ],
  [
    'no repeats allowed',
    [[`${D}/numberOfRepeatsAllowed`, undefined]],
    [`${INVALID} Number of repeats allowed is required. @ MedicationRequest.dispenseRequest.numberOfRepeatsAllowed`],
  ],
  [
    'half a repeat',
    [[`${D}/numberOfRepeatsAllowed`, 0.5]],
    [`${INVALID} Expected a whole number. @ MedicationRequest.dispenseRequest.numberOfRepeatsAllowed`],
  ],
  [
    'duration not in days',
    [[`${D}/expectedSupplyDuration/code`, 'wk']],
    [
      `${INVALID} Expected supply duration must be specified in days. @ MedicationRequest.dispenseRequest.expectedSupplyDuration.code`,
    ],
  ],
  [
    'a review date with time',
    [[`${ITEM_1}/extension/2/extension/0/valueDateTime`, '2027-11-16T00:00:00Z']],
    [
      `${INVALID} Incorrect format for date string '2027-11-16T00:00:00Z'. @ MedicationRequest.extension.extension.valueDateTime`,
    ],
  ],
  [
    'bad signing time',
    [[`${SIGNATURE}/0/when`, 'now']],
    [`${INVALID} Incorrect format for date time string 'now'. @ Provenance.signature.when`],
  ],
  [
    'no signature data',
    [[`${SIGNATURE}/0/data`, undefined]],
    [`${INVALID} Invalid signature format. @ Provenance.signature.data`],
  ],
  [
    'signature data that is no XML',
    [[`${SIGNATURE}/0/data`, 'bm90IFhNTA==']],
    [`${INVALID} Invalid signature format. @ Provenance.signature.data`],
  ],
  [
    'signature data with an element left open',
    [[`${SIGNATURE}/0/data`, Buffer.from('<Signature><SignedInfo></Signature>').toString('base64')]],
    [`${INVALID} Invalid signature format. @ Provenance.signature.data`],
  ],
  [
    'signature data with a document type',
    [[`${SIGNATURE}/0/data`, Buffer.from('<!DOCTYPE a><a/>').toString('base64')]],
    [`${INVALID} Invalid signature format. @ Provenance.signature.data`],
  ],
  [
    'two signatures of the requester',
    [[`${SIGNATURE}/-`, { who: WHO }]],
    [`${AT_MOST} where who.reference == '${WHO.reference}'. @ Provenance.signature`],
  ],
  [
    'a location without address',
    [['/entry/10/resource/address', undefined]],
    [`${INVALID} Address must be provided. @ Location.address`],
  ],
  ['a service without location', [['/entry/9/resource/location', []]], [`${FEW}. @ HealthcareService.location`]],
  [
    'a service with two telecoms',
    [['/entry/9/resource/telecom/-', { value: '1', use: 'work' }]],
    [`${MANY}. @ HealthcareService.telecom`],
  ],
];

describe('mapping › eps › order', () => {
  describe('repeat dispensing, secondary care, signature', () =>
    testRows('prescription-order-repeat-dispensing-signed', REPEAT_DISPENSING_ROWS));
});
