/** Orders at the local Spine, good and at fault, as V3 messages over mutual TLS. */
import { expect } from 'chai';
import { newPrescription, order, patientRelease } from '../../support/eps-messages.ts';
import { DAY, spineSuite } from '../../support/eps-steps.ts';

/** One line with what holds it. */
const LINE = /<pertinentInformation2 contextConductionInd[\s\S]*?<\/pertinentLineItem>\s*<\/pertinentInformation2>/;

/** Each changes the V3 of a good acute order in one place. */
const FAULTS: readonly (readonly [what: string, answer: string, change: (v3: string) => string])[] = [
  ['an item changed after signing', 'AE 9999', (v3) => v3.replace('Paracetamol 500mg', 'Paracetamol 900mg')],
  ['the patient changed after signing', 'AE 9999', (v3) => v3.replace('Osbert', 'Oswald')],
  ['the time of signing changed', 'AE 9999', (v3) => v3.replace(/(<time value="\d{12})\d\d"/, '$159"')],
  [
    'a signature value of nobody',
    'AE 9999',
    (v3) => v3.replace(/(<SignatureValue>)(.)/, (_, tag: string, first: string) => tag + (first === 'A' ? 'B' : 'A')),
  ],
  [
    'SHA-1, which is not allowed',
    'AE 9999',
    (v3) => v3.replace('2001/04/xmldsig-more#rsa-sha256', '2000/09/xmldsig#rsa-sha1'),
  ],
  [
    'another transform',
    'AE 9999',
    (v3) => v3.replace(/<Transform Algorithm="[^"]*"/, '<Transform Algorithm="http://www.w3.org/TR/xslt"'),
  ],
  ['a certificate of nobody', 'AE 9999', (v3) => v3.replace(/<X509Certificate>.{9}/, '<X509Certificate>AAAAAAAAA')],
  ['a wrong check character', 'AE 5000', (v3) => v3.replace(/(-[0-9A-F]{5})[0-9A-Z+](" root="[^"]*18\.8")/, '$1!$2')],
  ['a wrong NHS number', 'AE 0007', (v3) => v3.replace('extension="9990000034"', 'extension="9990000035"')],
  [
    'no professional code',
    'AE 5000',
    (v3) => v3.replace(/<id extension="\w+" root="1\.2\.826\.0\.1285\.0\.2\.1\.54"\/>/, ''),
  ],
  ['31 February', 'AE 9006', (v3) => v3.replace(/<birthTime value="\d+"/, '<birthTime value="20260231"')],
  ['no treatment type', 'AE 0008', (v3) => v3.replace(/<value code="0001" codeSystem="[^"]*16\.36"\/>/, '')],
  [
    'an unknown treatment type',
    'AE 0009',
    (v3) => v3.replace(/code="0001" (codeSystem="[^"]*16\.36")/, 'code="0009" $1'),
  ],
  ['no items', 'AE 0010', (v3) => v3.replace(LINE, '').replace(LINE, '')],
  ['five items', 'AE 0010', (v3) => v3.replace(LINE, (line) => line.repeat(4))],
  ['an item twice', 'AE 5008', (v3) => v3.replace(LINE, (line) => line.repeat(2))],
  ['another namespace', 'AE 5888', (v3) => v3.replace('urn:hl7-org:v3', 'urn:hl7-org:v4')],
  ['an element that is not closed', 'AE 5888', (v3) => v3.replace('</ControlActEvent>', '')],
  ['a document type', 'AE 5888', (v3) => v3.replace('?>', '?><!DOCTYPE x [<!ENTITY y "z">]>')],
  ['an interactionId of another', 'AE 5888', (v3) => v3.replace('extension="PORX_IN020101SM31"', 'extension="X"')],
];

/** The same with an eRD order. */
const ERD_FAULTS: typeof FAULTS = [
  ['a line authorised for more', 'AE 0018', (v3) => v3.replace('<high value="6"/>', '<high value="7"/>')],
  ['a hundred issues', 'AE 0019', (v3) => v3.replaceAll('<high value="6"/>', '<high value="100"/>')],
  ['no days of supply', 'AE 0008', (v3) => v3.replace(/<width[^>]*>/, '')],
];

describe('peers › spine › orders', () => {
  const s = spineSuite();

  for (const kind of ['acute', 'repeat', 'erd'] as const)
    it(`${kind} › to be dispensed`, async () => {
      const made = await s.prescribed(kind);
      expect(s.stateOf(made)).equal('To Be Dispensed');
      expect(s.spine.spine.find(made.id)?.issues.length).equal(kind === 'erd' ? 6 : 1);
    });

  it('0002 › the prescription id has been used', async () => {
    const made = await s.prescribed();
    expect(await s.spine.tell(order(made, { at: s.now(), signer: s.spine.signer }))).equal('AE 0002');
  });

  it('5008 › an item id has been used by another prescription', async () => {
    const { items } = await s.prescribed();
    const other = { ...newPrescription(), items };
    expect(await s.spine.tell(order(other, { at: s.now(), signer: s.spine.signer }))).equal('AE 5008');
  });

  it('0003 › not signed', async () => {
    expect(await s.spine.tell(order(newPrescription(), { at: s.now() }))).equal('AE 0003');
  });

  it('0001 › the patient is recorded as dead', async () => {
    await s.spine.spine.change({ deceased: ['9990000034'] });
    try {
      expect(await s.spine.tell(order(newPrescription(), { at: s.now(), signer: s.spine.signer }))).equal('AE 0001');
    } finally {
      await s.spine.spine.change({ deceased: [] });
    }
  });

  it('dated in the future › not to be had before its day', async () => {
    const made = await s.prescribed('acute', { from: s.now() + 3 * DAY });
    expect(s.stateOf(made)).equal('Prescription future instance');
    expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0006');
    await s.later(3, async () => {
      expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AA');
    });
  });

  const refuses = (kind: 'acute' | 'erd', [what, answer, change]: (typeof FAULTS)[number]): void => {
    it(`${answer} › ${what}`, async () => {
      const made = newPrescription(kind);
      const { v3 } = order(made, { at: s.now(), signer: s.spine.signer });
      const changed = change(v3);
      expect(changed).not.equal(v3);
      expect(await s.spine.tellRaw('PORX_IN020101SM31', changed)).equal(answer);
      expect(s.stateOf(made)).equal('none');
    });
  };
  for (const fault of FAULTS) refuses('acute', fault);
  for (const fault of ERD_FAULTS) refuses('erd', fault);
});
