import { expect } from 'chai';
import type { ToScriptContext } from '../../../src/mapping/script/envelope.ts';
import { mapToFhir, mapToScript } from '../../../src/mapping/script/map-message.ts';
import type { Json } from '../../../src/mapping/script/place.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { findText } from '../../../src/standards/script/message.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { canonicalText, formatScript, scriptElement } from '../../../src/standards/script/write.ts';
import { generateElement } from '../../standards/script/generate-message.ts';
import { MUTATIONS, publishedSamples, SAMPLES_NEEDED, scriptFixture } from '../../standards/script/samples.ts';
import { testDefinitions } from '../../support/definitions.ts';

/** The envelope of the message itself, so that only what the order says is compared. */
function envelopeOf(raw: Buffer): ToScriptContext {
  const { header, message } = readScript(raw);
  const software = (name: string): string =>
    findText(message?.root, `Header/SenderSoftware/SenderSoftware${name}`) ?? 'unknown';
  return {
    from: header.from ?? { address: 'unknown' },
    to: header.to ?? { address: 'unknown' },
    messageId: header.messageId ?? 'unknown',
    sentAt: Date.parse(header.sentTime ?? ''),
    software: { developer: software('Developer'), product: software('Product'), version: software('VersionRelease') },
    forwardSignature: true,
  };
}

/** Message to Bundle, through JSON as a store would, and back. */
function roundTrip(raw: Buffer, context = envelopeOf(raw)) {
  const { message } = readScript(raw);
  const bundle = message && mapToFhir(message, { receivedAt: 0 }).value;
  return mapToScript(parseJson(formatJson(bundle)), context);
}
const canonical = (raw: Buffer | string): string => {
  const { message } = readScript(Buffer.from(raw));
  return message ? canonicalText(message.root) : '';
};
const basic = scriptFixture('newrx-basic').toString();
const bundleOf = (raw: Buffer): Json => {
  const { message } = readScript(raw);
  return parseJson(formatJson(message && mapToFhir(message, { receivedAt: 0 }).value)) as Json;
};

/** An empty element is an absent one (reference section 3). */
function pruned(text: string): string {
  const less = text.replaceAll(/<(\w+)><\/\1>/g, '');
  return less === text ? text : pruned(less);
}
const MADE = { quick: 100, ci: 1_000, long: 20_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 100;

const EXTRAS: readonly (readonly [name: string, from: string | RegExp, to: string])[] = [
  ['an element FHIR has no place for', '</HumanPatient>', '<HospiceIndicator>Y</HospiceIndicator></HumanPatient>'],
  ['a second diagnosis', /(<Diagnosis>.*<\/Diagnosis>)/, '$1$1'],
  ['an unknown diagnosis qualifier', '<Qualifier>ABF', '<Qualifier>ZZ'],
  [
    'request fields',
    '<NewRx>',
    '<NewRx><ReturnReceipt>Y</ReturnReceipt><UrgencyIndicatorCode>X</UrgencyIndicatorCode>',
  ],
  ['a hold', '</Sig>', '</Sig><DoNotFill>H</DoNotFill>'],
  ['a drug code nobody knows', '<Qualifier>ND', '<Qualifier>ZX'],
  [
    'drug use evaluation',
    '<Sig>',
    '<DrugUseEvaluation><ServiceReasonCode>DD</ServiceReasonCode><ProfessionalServiceCode>M0</ProfessionalServiceCode><ServiceResultCode>1B</ServiceResultCode><CoAgent><CoAgentCode><Code>1</Code><Qualifier>ND</Qualifier><Description>x</Description></CoAgentCode></CoAgent><AcknowledgementReason>seen</AcknowledgementReason></DrugUseEvaluation><Sig>',
  ],
  [
    'other dates',
    '</MedicationPrescribed>',
    '<OtherMedicationDate><OtherMedicationDate><Date>2026-02-01</Date></OtherMedicationDate><OtherMedicationDateQualifier>TransplantDate</OtherMedicationDateQualifier></OtherMedicationDate><OtherMedicationDate><OtherMedicationDate><Date>2026-01-20</Date></OtherMedicationDate><OtherMedicationDateQualifier>StartDate</OtherMedicationDateQualifier></OtherMedicationDate></MedicationPrescribed>',
  ],
  [
    'allergies',
    '<Patient>',
    '<AllergyOrAdverseEvent><Allergies><SourceOfInformation>P</SourceOfInformation><EffectiveDate><Date>2020-01-01</Date></EffectiveDate><AdverseEvent><Text>allergy</Text><Code>419511003</Code></AdverseEvent><DrugProductCoded><Code>7980</Code><Qualifier>SCD</Qualifier><Text>Penicillin</Text></DrugProductCoded><ReactionCoded><Text>Hives</Text><Code>247472004</Code></ReactionCoded><SeverityCoded><Text>Mild</Text><Code>255604002</Code></SeverityCoded></Allergies></AllergyOrAdverseEvent><Patient>',
  ],
  [
    'coverages out of order, with addresses',
    '<Patient>',
    '<BenefitsCoordination><PayerName>Two</PayerName><CardHolderName><LastName>A</LastName><FirstName>B</FirstName></CardHolderName><PayerResponsibilityCode>S</PayerResponsibilityCode></BenefitsCoordination><BenefitsCoordination><PayerIdentification><PayerID>P1</PayerID></PayerIdentification><GroupID>G</GroupID><PayerResponsibilityCode>P</PayerResponsibilityCode><GroupName>N</GroupName><Address><City>Tempe</City></Address></BenefitsCoordination><Patient>',
  ],
  [
    'a practice and an agent',
    '<Name><LastName>Whitfield',
    '<PracticeLocation><Identification><NPI>1234567893</NPI></Identification><BusinessName>Central Clinic</BusinessName></PracticeLocation><Name><LastName>Whitfield',
  ],
  [
    'all telephones',
    '</PrimaryTelephone><ElectronicMail>',
    '<Extension>12</Extension><SupportsSMS>Y</SupportsSMS></PrimaryTelephone><Beeper><Number>1</Number></Beeper><ElectronicMail>a@example.test</ElectronicMail><ElectronicMail>',
  ],
  [
    'more telephones',
    '<Fax><Number>6025550102</Number></Fax>',
    '<Fax><Number>6025550102</Number></Fax><HomeTelephone><Number>2</Number></HomeTelephone><WorkTelephone><Number>3</Number></WorkTelephone><OtherTelephone><Number>4</Number></OtherTelephone><DirectAddress>d@direct.example.test</DirectAddress>',
  ],
  ['a birth time', '<DateOfBirth><Date>1987-03-14</Date>', '<DateOfBirth><DateTime>1987-03-14T05:00:00Z</DateTime>'],
  [
    'order groups',
    '</PrescriberOrderNumber>',
    '</PrescriberOrderNumber><PrescriberOrderGroup><OrderGroupNumber>G1</OrderGroupNumber><ItemCountInOrderGroup>1</ItemCountInOrderGroup><TotalCountForOrderGroup>2</TotalCountForOrderGroup><OrderGroupReason>TrialFill</OrderGroupReason></PrescriberOrderGroup>',
  ],
  ['no record number', /<Identification><MedicalRecord.*?<\/Identification>/, ''],
  ['no order number', /<PrescriberOrderNumber>.*?<\/PrescriberOrderNumber>/, ''],
  [
    'an animal',
    /<HumanPatient>.*<\/HumanPatient>/,
    '<NonHumanPatient><Name><LastName>Okafor</LastName><FirstName>Rex</FirstName></Name><Gender>M</Gender><DateOfBirth><Date>2020-01-01</Date></DateOfBirth><Species><Text>Dog</Text><Code>448771007</Code></Species></NonHumanPatient>',
  ],
];

describe('mapping › script › round trip', () => {
  for (const [name, from, to] of EXTRAS)
    it(`${name}: the message comes back as it was`, () => {
      const raw = Buffer.from(basic.replace(from, to));
      expect(raw.toString()).not.equal(basic);
      const { value, issues } = roundTrip(raw);
      expect(issues.filter(isError)).deep.equal([]);
      expect(canonical(value ?? '')).equal(canonical(raw));
    });

  it('a signature is not sent again unless the order goes on unchanged', () => {
    const raw = scriptFixture('newrx-cii-signed-indicator');
    const { value, issues } = roundTrip(raw, { ...envelopeOf(raw), forwardSignature: false });
    expect(value).not.include('DigitalSignature');
    expect(issues.map(({ severity }) => severity)).deep.equal(['warning']);
  });

  it('structured directions go back only beside the text they came with', () => {
    const raw = scriptFixture('newrx-structured-sig');
    const text = formatJson(bundleOf(raw)).replace(
      '"text":"Take 1 tablet by mouth twice daily',
      '"text":"Take 2 tablets',
    );
    const { value } = mapToScript(parseJson(text), envelopeOf(raw));
    expect(value).include('<Sig><SigText>Take 2 tablets with meals</SigText></Sig>');
  });

  it(`${MADE} messages made from the element model come back as they were`, function () {
    this.timeout(300_000);
    const validate = createValidator(testDefinitions());
    const base = readScript(Buffer.from(basic)).message?.root;
    const header = (base?.children ?? []).filter((node) => typeof node !== 'string' && node.name === 'Header');
    for (let seed = 0; seed < MADE; seed += 1) {
      // SocialSecurity is dropped by rule (reference section 3.1).
      const newRx = generateElement('NewRx', seed, new Set(['SocialSecurity']));
      const message = {
        ...scriptElement('Message', [...header, scriptElement('Body', [newRx])]),
        attributes: base?.attributes ?? [],
      };
      const raw = Buffer.from(formatScript(message).value ?? '');
      const { message: read } = readScript(raw);
      const translated = read && mapToFhir(read, { receivedAt: 0 }).value;
      const { value, issues } = roundTrip(raw);
      expect(issues.filter(isError), `seed ${seed}`).deep.equal([]);
      expect(pruned(canonical(value ?? '')), `seed ${seed}`).equal(pruned(canonical(raw)));
      for (const { resource } of translated?.entry ?? []) expect(validate(resource), `seed ${seed}`).deep.equal([]);
    }
  });

  // Each breaks one thing NewRx cannot do without.
  for (const [pattern, replacement, expected] of [
    [/"birthDate":"[^"]*",/, '', 'Patient.birthDate'],
    [/"gender":"female",/, '', 'Patient.gender'],
    [/"authoredOn":"[^"]*",/, '', 'MedicationRequest.authoredOn'],
    [
      /"system":"http:\/\/hl7.org\/fhir\/sid\/us-npi","value":"1043218761"/,
      '"value":"1"',
      'Practitioner.identifier (NPI)',
    ],
    [/"dosageInstruction":\[\{"text":"[^"]*"\}\],/, '', 'MedicationRequest.dosageInstruction.text'],
    [/"quantity":\{"value":30,/, '"quantity":{', 'MedicationRequest.dispenseRequest.quantity.value'],
  ] as const)
    it(`without ${expected} nothing is written`, () => {
      const before = formatJson(bundleOf(Buffer.from(basic)));
      const after = before.replace(pattern, replacement);
      expect(after).not.equal(before);
      const { value, issues } = mapToScript(parseJson(after), envelopeOf(Buffer.from(basic)));
      expect([value, issues.map(({ expression }) => expression?.[0])]).deep.equal([undefined, [expected]]);
    });

  for (const [title, pattern, replacement, expected] of [
    [
      'an order that was cancelled',
      '"status":"active","intent"',
      '"status":"cancelled","intent"',
      'MedicationRequest.status',
    ],
    ['a proposal', '"intent":"order"', '"intent":"proposal"', 'MedicationRequest.intent'],
    [
      'what is not to be given',
      '"intent":"order"',
      '"intent":"order","doNotPerform":true',
      'MedicationRequest.doNotPerform',
    ],
    [
      'a unit that is no NCIt code',
      /("code":"C48542","unit":"tablet","system":")[^"]*/,
      '$1http://unitsofmeasure.org',
      'MedicationRequest.dispenseRequest.quantity.code',
    ],
  ] as const)
    it(`${title} is not sent: ${expected}`, () => {
      const before = formatJson(bundleOf(Buffer.from(basic)));
      const after = before.replace(pattern, replacement);
      expect(after).not.equal(before);
      const { value, issues } = mapToScript(parseJson(after), envelopeOf(Buffer.from(basic)));
      expect([value, issues.map(({ expression }) => expression?.[0])]).deep.equal([undefined, [expected]]);
    });

  it('a supply in weeks is left out with a warning; millilitres of UCUM are those of NCIt', () => {
    const text = formatJson(bundleOf(Buffer.from(basic)))
      .replace(
        '"unit":"day","system":"http://unitsofmeasure.org","code":"d"',
        '"unit":"week","system":"http://unitsofmeasure.org","code":"wk"',
      )
      .replace(
        /"code":"C48542","unit":"tablet","system":"[^"]*"/,
        '"code":"mL","unit":"mL","system":"http://unitsofmeasure.org"',
      );
    const { value, issues } = mapToScript(parseJson(text), envelopeOf(Buffer.from(basic)));
    expect(value).include('<QuantityUnitOfMeasure><Code>C28254</Code>').not.include('DaysSupply');
    expect(issues.map(({ severity }) => severity)).deep.equal(['warning']);
  });

  it('a text that is too long is refused, not cut', () => {
    const before = formatJson(bundleOf(Buffer.from(basic)));
    const after = before.replace('Take 1 tablet by mouth once daily', 'x'.repeat(1001));
    const { value, issues } = mapToScript(parseJson(after), envelopeOf(Buffer.from(basic)));
    expect([value, issues.map(({ code }) => code)]).deep.equal([undefined, ['too-long']]);
  });

  for (const [name, bundle] of [
    ['nothing', undefined],
    ['a text', 'Bundle'],
    ['an empty Bundle', { resourceType: 'Bundle', entry: [] }],
    [
      'entries of nothing',
      {
        entry: [
          null,
          1,
          { resource: null },
          { resource: { resourceType: 'MedicationRequest', status: 'active', intent: 'order' } },
        ],
      },
    ],
    [
      'lists of nothing',
      {
        entry: [
          {
            resource: {
              resourceType: 'MedicationRequest',
              identifier: [null],
              reasonCode: ['x'],
              dosageInstruction: [{}],
              subject: 3,
            },
          },
        ],
      },
    ],
  ] as const)
    it(`${name} gives issues`, () => {
      const { value, issues } = mapToScript(bundle, envelopeOf(Buffer.from(basic)));
      expect([value, issues.some(isError)]).deep.equal([undefined, true]);
    });

  it(`${MUTATIONS} Bundles with something wrong in them never throw`, function () {
    this.timeout(120_000);
    const bundles = ['newrx-compound', 'newrx-two-coverages', 'newrx-peds-observation', 'newrx-supervisor'].map(
      (name) => formatJson(bundleOf(scriptFixture(name))),
    );
    const odd = [null, 1, 'x', '', true, [], {}, [null], [{}], { extension: [{ url: 'x' }] }];
    for (let seed = 0; seed < MUTATIONS; seed += 1) {
      let count = (seed * 7919) % 400;
      const text = bundles[seed % bundles.length] ?? '';
      const bundle = JSON.parse(text, (_key, value: unknown) => {
        count -= 1;
        return count === 0 ? odd[seed % odd.length] : value;
      }) as unknown;
      mapToScript(bundle, envelopeOf(Buffer.from(basic)));
    }
  });

  const samples = publishedSamples();
  if (samples === undefined) it(SAMPLES_NEEDED);
  else
    for (const { id, raw } of samples.filter(
      ({ kind, structural, version, source, id: sample }) =>
        kind === 'NewRx' &&
        structural === 'valid' &&
        version === '2017071' &&
        source === 'own' &&
        // Its version stamp is no version, and is not sent again.
        sample !== 'edge-unsupported-version',
    ))
      it(`published ${id}: comes back as it was`, () => {
        const { value, issues } = roundTrip(raw);
        expect(issues.filter(isError)).deep.equal([]);
        expect(canonical(value ?? '')).equal(canonical(raw));
      });
});
