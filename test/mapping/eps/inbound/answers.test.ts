/** What the Spine answers, case by case: where the message is found, what its codes become, and what is refused. */
import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import { CANCELLATION_RESULTS } from '../../../../src/mapping/eps/inbound/cancellation-response.ts';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { DISPENSE_ERRORS, PRESCRIBE_ERRORS } from '../../../../src/mapping/eps/inbound/error-codes.ts';
import { type SpineAnswer, translateSpineAnswer } from '../../../../src/mapping/eps/inbound/spine-answer.ts';
import { textOf } from '../../../../src/standards/fhir/outcome.ts';
import { answerContext, readAnswer } from './answer.ts';
import { acknowledgement, cancellationAnswer, releaseReject } from './v3-of-fhir.ts';

const translate = (content: string | Buffer): SpineAnswer => translateSpineAnswer(content, answerContext());

interface Coded {
  readonly code: string;
  readonly severity: string;
  readonly details: { readonly coding: readonly [{ system: string; code: string; display?: string }] };
}

/** `severity/code system code: display`, the system without its beginning. */
function codes({ body }: SpineAnswer): readonly string[] {
  const issues = body['issue'] as readonly Coded[]; // An OperationOutcome of codes.
  return issues.map(({ code, severity, details }) => {
    const [coding] = details.coding;
    return `${severity}/${code} ${coding.system.replace(/^.*\//, '')} ${coding.code}: ${coding.display}`;
  });
}

const EPS = 'EPS-IssueCode';
const SPINE = 'Spine-ErrorOrWarningCode';
const PRESCRIBE = '2.16.840.1.113883.2.1.3.2.4.17.22';
const DISPENSE = '2.16.840.1.113883.2.1.3.2.4.16.34';

/** The tables of the national gateway, written a second time. `said`: the text that the Spine gives. */
const ERRORS: readonly (readonly [system: string, code: string, expected: string, status?: number])[] = [
  [PRESCRIBE, '0001', `error/business-rule ${EPS} PATIENT_DECEASED: Patient is recorded as dead`],
  [PRESCRIBE, '0002', `error/duplicate ${EPS} DUPLICATE_PRESCRIPTION_ID: Duplicate prescription ID exists`],
  [PRESCRIBE, '0003', `error/business-rule ${EPS} MISSING_DIGITAL_SIGNATURE: Digital signature not found`],
  [
    PRESCRIBE,
    '0005',
    `error/not-found ${EPS} PRESCRIPTION_NOT_FOUND: Prescription can not be found. Contact prescriber`,
  ],
  [
    PRESCRIBE,
    '0007',
    `error/code-invalid ${SPINE} INVALID_RESOURCE_ID: The resource ID was not valid. For example a NHS Number is presented which is not a valid NHS Number.`,
  ],
  [PRESCRIBE, '0008', `error/value ${SPINE} MISSING_VALUE: said`],
  [PRESCRIBE, '0009', `error/structure ${EPS} INVALID_MESSAGE: Invalid Message`],
  [
    PRESCRIBE,
    '0010',
    `error/business-rule ${EPS} INVALID_NUMBER_MEDICATIONREQUESTS: Number of items on a prescription should be between 1 and 4`,
  ],
  [
    PRESCRIBE,
    '0012',
    `error/business-rule ${EPS} PRESCRIPTION_INVALID_STATE_TRANSITION: Invalid State Transition for Prescription`,
  ],
  [
    PRESCRIBE,
    '0013',
    `error/business-rule ${EPS} MEDICATIONREQUEST_INVALID_STATE_TRANSITION: Invalid State Transition for Prescription Item`,
  ],
  [PRESCRIBE, '0014', `error/not-found ${EPS} MEDICATIONREQUEST_NOT_FOUND: Prescription Item Not found`],
  [
    PRESCRIBE,
    '0015',
    `error/business-rule ${EPS} CLAIM_INVALID_NOT_DISPENSED: Invalid Claim. Prescription is not Dispensed`,
  ],
  [
    PRESCRIBE,
    '0018',
    `error/business-rule ${EPS} MISMATCH_AUTHORISED_REPEAT_COUNT: Mismatch in authorised repeat counts`,
  ],
  [PRESCRIBE, '0019', `error/business-rule ${EPS} INVALID_REPEAT_COUNT: Repeat count should be between 1 and 99`],
  [
    PRESCRIBE,
    '0021',
    `error/business-rule ${EPS} DISPENSE_AMEND_IDENTIFIER_MISMATCH: Dispense Amendment/Cancellation Request does not pertain to Last Dispense`,
  ],
  [PRESCRIBE, '0099', `error/conflict ${SPINE} RESOURCE_VERSION_MISMATCH: Resource version mismatch`],
  [
    PRESCRIBE,
    '0100',
    `error/business-rule ${SPINE} CLAIM_AMEND_PERIOD_ISSUE: Claim amendment is not permitted outside of the claim period`,
  ],
  [PRESCRIBE, '5008', `error/duplicate ${EPS} DUPLICATE_MEDICATIONREQUEST_ID: Duplicate item ID exists`],
  [PRESCRIBE, '5009', `error/value ${EPS} INVALID_CHECK_DIGIT: Error in check digit`],
  [PRESCRIBE, '7002', `error/structure ${EPS} INVALID_MESSAGE: Invalid Message`],
  [PRESCRIBE, '9006', `error/value ${EPS} INVALID_DATE_FORMAT: Format of date passed is invalid`],
  [PRESCRIBE, '9999', `error/processing ${SPINE} FAILURE_TO_PROCESS_MESSAGE: said`],
  [PRESCRIBE, '4711', `error/invalid ${SPINE} ERROR: said`],
  [DISPENSE, '0001', `error/business-rule ${EPS} PRESCRIPTION_CANCELLED: Prescription has been cancelled`],
  [DISPENSE, '0002', `error/business-rule ${EPS} PRESCRIPTION_EXPIRED: Prescription has expired`],
  [DISPENSE, '0003', `error/not-found ${SPINE} RESOURCE_NOT_FOUND: Resource not found`],
  [
    DISPENSE,
    '0004',
    `error/business-rule ${EPS} PRESCRIPTION_WITH_ANOTHER_DISPENSER: Prescription is with another dispenser`,
  ],
  [DISPENSE, '0005', `error/business-rule ${EPS} PRESCRIPTION_DISPENSED: Prescription has been dispensed`],
  [DISPENSE, '0006', `information/informational ${EPS} NO_MORE_PRESCRIPTIONS: No more prescriptions available`, 200],
  [DISPENSE, '0007', `error/exception ${EPS} SERVICE_DISABLED: Functionality disabled in spine`],
  [DISPENSE, '0099', `error/conflict ${SPINE} RESOURCE_VERSION_MISMATCH: Resource version mismatch`],
  [DISPENSE, '5000', `error/processing ${SPINE} FAILURE_TO_PROCESS_MESSAGE: said`],
  [DISPENSE, '5888', `error/invalid ${EPS} INVALID_MESSAGE: Invalid message`],
  [DISPENSE, '9006', `error/value ${EPS} INVALID_DATE_FORMAT: Format of date passed is invalid`],
  [DISPENSE, '4711', `error/invalid ${SPINE} ERROR: said`],
  ['2.16.840.1.113883.2.1.3.2.4.17.32', '202', `error/invalid ${SPINE} 202: said`],
];

describe('mapping › eps › inbound › error codes', () => {
  for (const [system, code, expected, status = 400] of ERRORS)
    for (const typeCode of ['AE', 'ER', 'AR'])
      it(`${typeCode} ${system.replace(/^.*\.(\d+\.\d+)$/, '…$1')} ${code} › ${expected}`, () => {
        const answer = translate(acknowledgement(typeCode, code, 'said', system));
        expect(codes(answer)).deep.equal([expected]);
        expect(answer.status).equal(status);
      });

  it('are all in the table', () => {
    const tested = (oid: string): number => ERRORS.filter(([system, code]) => system === oid && code !== '4711').length;
    expect([tested(PRESCRIBE), tested(DISPENSE)]).deep.equal([PRESCRIBE_ERRORS.size, DISPENSE_ERRORS.size]);
  });

  it('of a release that is rejected are those of dispensing', () => {
    for (const [system, code, expected, status = 400] of ERRORS) {
      if (system !== DISPENSE || expected.endsWith('said')) continue;
      const answer = translate(releaseReject(code));
      expect([answer.kind, answer.status, ...codes(answer)]).deep.equal(['releaseReject', status, expected]);
    }
  });
});

const CANCELLATIONS: readonly (readonly [code: string, status: string])[] = [
  ['0001', 'cancelled'],
  ['0002', 'active'],
  ['0003', 'active'],
  ['0004', 'completed'],
  ['0005', 'stopped'],
  ['0006', 'cancelled'],
  ['0007', 'unknown'],
  ['0008', 'not-found'],
  ['0009', 'not-supported'],
  ['0010', 'stopped'],
  ['5000', 'processing'],
  ['5888', 'invalid'],
];

describe('mapping › eps › inbound › results of a cancellation', () => {
  const withDispenser = readAnswer('cancellation-with-dispenser.xml');
  for (const [code, status] of CANCELLATIONS)
    it(`${code} › ${status}`, () => {
      const { body, status: http } = translate(withDispenser.replace('code="0002"', `code="${code}"`));
      expect(http).equal(400);
      const text = JSON.stringify(body);
      expect(text).contain(`"code":"R-${code}"`);
      if (body.resourceType === 'Bundle') expect(text).contain(`"status":"${status}","intent":"order"`);
      else expect(text).contain(`"code":"${status}"`);
    });

  it('are all in the table', () => expect(CANCELLATIONS.length).equal(CANCELLATION_RESULTS.size));

  it('one that is not known is told as such', () => {
    const answer = translate(cancellationAnswer(undefined, '4711', 'x'));
    expect(answer.status).equal(500);
    expect(answer.issues.map(textOf).join()).match(/^The result is none that is known \(line 1, column \d+\)$/);
  });
});

const AA = acknowledgement('AA');
const SOAP = (content: string): string =>
  `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Any>${content}</Any></s:Body></s:Envelope>`;
const MIME = (content: string, headers = 'Content-Type: text/xml'): string =>
  `--b\r\n${headers}\r\n\r\n<a/>\r\n--b\r\n${headers}\r\n\r\n${content}\r\n--b--\r\n`;

describe('mapping › eps › inbound › where the message is found', () => {
  const FOUND: readonly (readonly [title: string, content: string | Buffer])[] = [
    ['bare', AA],
    ['bare, with its declaration', `<?xml version="1.0" encoding="utf-8"?>\n${AA}`],
    ['after a byte order mark', Buffer.from(`\uFEFF${AA}`)],
    ['in UTF-16', Buffer.from(`\uFEFF<?xml version="1.0" encoding="UTF-16"?>${AA}`, 'utf16le')],
    ['with a prefix', AA.replaceAll(/<(\/?)/g, '<$1h:').replace('xmlns=', 'xmlns:h=')],
    ['in a SOAP body, however deep', SOAP(SOAP(AA))],
    ['in a MIME part', MIME(AA)],
    ['in a MIME part without headers', `--b\n${AA}\n--b--`],
    ['after a preamble, in lines that are indented', `preamble\n  --b\n  Content-Id: <x>\n\n  ${AA}\n  --b--`],
    ['in a part that nothing closes', `--b\n\n${AA}\n`],
    ['in a part of 8 bits', MIME(AA, 'Content-Transfer-Encoding: 8bit')],
  ];
  for (const [title, content] of FOUND)
    it(title, () => {
      const { kind, status } = translate(content);
      expect([kind, status]).deep.equal(['acknowledgement', 200]);
    });

  it('a release before an acknowledgement, in whichever order they come', () => {
    const release = readAnswer('release-unreadable.xml').replace(/^<\?xml[^>]*>\s*/, '');
    expect(translate(SOAP(AA + release)).kind).equal('nominatedReleaseResponse');
    expect(translate(MIME(release).replace('<a/>', AA)).kind).equal('nominatedReleaseResponse');
  });
});

const DEEP = '<a>'.repeat(100) + '</a>'.repeat(100);

/** What is refused, and with which issue: code, place and text. */
const REFUSED: readonly (readonly [title: string, content: string | Buffer, issue: RegExp])[] = [
  ['nothing', '', /^structure undefined The answer is empty$/],
  ['white space', ' \n ', /^structure undefined The answer is empty$/],
  ['no XML', 'Service Unavailable', /^structure undefined The answer is neither XML nor MIME parts$/],
  ['HTML', '<html><body>503</body></html>', /^invalid undefined The Spine's answer holds none of PORX_IN070101UK31/],
  [
    'bytes that are no UTF-8',
    Buffer.from([0x3c, 0x61, 0xff, 0x3e]),
    /^structure undefined The answer is not valid UTF-8$/,
  ],
  ['a document type', `<!DOCTYPE a>${AA}`, /^security 1:1 A document type \(DOCTYPE\) is refused/],
  [
    'an entity of its own',
    `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${AA}`,
    /^security 1:1 A document type \(DOCTYPE\) is refused/,
  ],
  [
    'an entity that is not there',
    AA.replace('<acknowledgement', '&x;<acknowledgement'),
    /^structure \d+:\d+ Line 1, column \d+: /,
  ],
  [
    'a document type in a MIME part',
    MIME(`<!DOCTYPE a>${AA}`),
    /^security 1:1 A document type .*the part begins on line 8 of the answer/,
  ],
  ['an element that nothing closes', AA.slice(0, -3), /^structure \d+:\d+ Line 1, column \d+: /],
  [
    'elements nested too deep',
    SOAP(DEEP),
    /^structure \d+:\d+ Line 1, column \d+: elements are nested deeper than 64$/,
  ],
  [
    'too long an answer',
    `<a>${'x'.repeat(5 * 1024 * 1024)}</a>`,
    /^structure undefined The answer is longer than 5242880 bytes$/,
  ],
  [
    'too many elements',
    `<a>${'<b/>'.repeat(20_001)}</a>`,
    /^structure \d+:\d+ Line 1, column \d+: more than 20000 elements$/,
  ],
  [
    'another encoding',
    `<?xml version="1.0" encoding="ISO-8859-1"?>${AA}`,
    /^structure 1:1 The XML declares another encoding than UTF-8$/,
  ],
  [
    'another encoding in a part',
    MIME(`<?xml version="1.0" encoding="latin1"?>${AA}`),
    /^structure 8:1 The XML declares another encoding/,
  ],
  [
    'a part in base64',
    MIME(AA, 'Content-Transfer-Encoding: base64'),
    /^structure 2:1 A MIME part has another transfer encoding/,
  ],
  ['too many parts', '--b\n<a/>\n'.repeat(9), /^structure undefined The answer has more than 8 parts$/],
  ['parts without content', '--b\n\n--b--', /^structure undefined The MIME parts are empty$/],
  [
    'another namespace',
    AA.replace('urn:hl7-org:v3', 'urn:hl7-org:v2'),
    /^structure MCCI_IN010000UK13 MCCI_IN010000UK13 is not in the namespace urn:hl7-org:v3 \(line 1, column \d+\)$/,
  ],
  [
    'an element in no namespace',
    AA.replace('<acknowledgement ', '<acknowledgement xmlns="" '),
    /^structure MCCI_IN010000UK13\/acknowledgement acknowledgement is in no namespace, not in urn:hl7-org:v3/,
  ],
  [
    'no acknowledgement',
    AA.replace(/<acknowledgement.*<\/acknowledgement>/, ''),
    /^required MCCI_IN010000UK13\/acknowledgement acknowledgement is missing \(line 1, column \d+\)$/,
  ],
  [
    'two of them',
    AA.replace(/<acknowledgement.*<\/acknowledgement>/, (one) => one + one),
    /^structure MCCI_IN010000UK13 acknowledgement is there 2 times, not once/,
  ],
  [
    'an unknown acknowledgement',
    AA.replace('"AA"', '"CA"'),
    /^code-invalid MCCI_IN010000UK13\/acknowledgement\/@typeCode typeCode is none of AA, AE, ER, AR/,
  ],
  ['a refusal without a code', acknowledgement('AE'), /^required MCCI_IN010000UK13 The refusal has no code/],
  [
    'a release without a response',
    readAnswer('release-unreadable.xml').replaceAll('PrescriptionReleaseResponse', 'Other'),
    /^required PORX_IN070101UK31\/ControlActEvent\/subject\/PrescriptionReleaseResponse PrescriptionReleaseResponse is missing/,
  ],
];

describe('mapping › eps › inbound › [IN-20] what cannot be read', () => {
  for (const [title, content, expected] of REFUSED)
    it(title, () => {
      const { kind, status, body, issues } = translate(content);
      expect([kind, status, body.resourceType]).deep.equal(['unknown', 500, 'OperationOutcome']);
      expect(issues.map((one) => `${one.code} ${one.expression?.join()} ${textOf(one)}`).join()).match(expected);
    });

  it('says of a message that becomes no FHIR which do', () => {
    const { value, issues } = convertFromV3('<Other xmlns="urn:hl7-org:v3"/>', answerContext());
    expect(value).equal(undefined);
    expect(issues.map(textOf).join()).match(/^The root element Other is no V3 message that becomes FHIR; these are: /);
    const wrong = convertFromV3('<ParentPrescription xmlns="urn:x"/>', answerContext()).issues;
    expect(wrong.map(textOf)).deep.equal([
      'The root element ParentPrescription is not in the namespace urn:hl7-org:v3',
    ]);
  });
});
