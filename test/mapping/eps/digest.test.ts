/** What a prescriber's signature covers, and what it does not. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { EpsContext } from '../../../src/mapping/eps/context.ts';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { childOf, type XmlElement } from '../../../src/standards/xml/tree.ts';
import { type Change, changed } from './change.ts';
import { fixtureContext, fixtureMessage } from './fixture.ts';
import { resourceAt } from './rows.ts';

const ORDER = fixtureMessage('prescription-order-acute');
const [ITEM_1, ITEM_2, PATIENT] = [1, 2, 5].map(resourceAt) as [string, string, string];

const parameter = (name: string, payload: unknown, context: Partial<EpsContext> = {}): string => {
  const { value } = prepare(payload, fixtureContext(context));
  const parameters = value?.['parameter'] as readonly { name: string; valueString: string }[];
  return parameters.find((p) => p.name === name)?.valueString ?? '';
};
const digest = (...changes: readonly Change[]): string => parameter('digest', changed(ORDER, changes));
const BOTH = (member: string, value: Change[1]): readonly Change[] =>
  [ITEM_1, ITEM_2].map((item): Change => [`${item}/${member}`, value]);

describe('mapping › eps › digest', () => {
  const same: readonly (readonly [string, readonly Change[]])[] = [
    ['the message id', [['/identifier/value', '00000000-0000-4000-8000-000000000001']]],
    ['the nominated pharmacy', BOTH('dispenseRequest/performer', undefined)],
    ['the responsible party', [['/entry/8/resource/name/0/family', 'Other']]],
    ['the short form id', BOTH('groupIdentifier/value', 'X')],
    ['the prescription type', BOTH('extension/0/valueCoding/code', '0104')],
    ['the order of members', [[ITEM_2, reordered(ITEM_2)]]],
  ];
  for (const [title, changes] of same) it(`does not cover ${title}`, () => expect(digest(...changes)).equal(digest()));

  const covered: readonly (readonly [string, readonly Change[]])[] = [
    ['the prescription id', BOTH('groupIdentifier/extension/0/valueIdentifier/value', 'x')],
    ['the NHS number', [[`${PATIENT}/identifier/0/value`, '9990000042']]],
    ['the address', [[`${PATIENT}/address/0/line/0`, 'Flat 4']]],
    ['the prescriber', [['/entry/6/resource/name/0/family', 'Other']]],
    ['the prescribing organisation', [['/entry/10/resource/name', 'Other']]],
    ['a product', [[`${ITEM_1}/medicationCodeableConcept/coding/0/code`, '1']]],
    ['a quantity', [[`${ITEM_1}/dispenseRequest/quantity/value`, 1.5]]],
    ['a dosage', [[`${ITEM_1}/dosageInstruction/0/text`, 'x']]],
    [
      'the repeat number',
      BOTH('courseOfTherapyType/coding/0/code', 'continuous').concat(BOTH('dispenseRequest/numberOfRepeatsAllowed', 0)),
    ],
  ];
  for (const [title, changes] of covered) it(`covers ${title}`, () => expect(digest(...changes)).not.equal(digest()));

  it('covers the order of the items', () => {
    const payload = changed(ORDER, []) as { entry: unknown[] };
    payload.entry.splice(1, 2, payload.entry[2], payload.entry[1]);
    expect(parameter('digest', payload)).not.equal(digest());
  });

  it('covers the time, which is that of the signature once there is one', () => {
    expect(parameter('digest', ORDER, { now: 0 })).not.equal(digest());
    expect(parameter('timestamp', ORDER, { now: 1999 })).equal('1970-01-01T00:00:01+00:00');
    const signed = fixtureMessage('prescription-order-repeat-dispensing-signed');
    expect(parameter('timestamp', signed)).equal('2026-11-16T09:40:30+00:00');
    expect(parameter('digest', signed, { now: 0 })).equal(parameter('digest', signed));
  });

  it('is the hash of the fragments that stand in the message, written out by hand', () => {
    const { value } = convertToV3(ORDER, fixtureContext());
    const root = readXml(value ?? '').value;
    const at = (...names: readonly string[]): XmlElement => {
      let element = root;
      for (const name of names) element = element && childOf(element, name);
      if (element === undefined) throw new Error(names.join('/'));
      return element;
    };
    const message = ['ControlActEvent', 'subject', 'ParentPrescription'];
    const prescription = at(...message, 'pertinentInformation1', 'pertinentPrescription');
    const v3 = ' xmlns="urn:hl7-org:v3"';
    const items = prescription.children.filter(
      (child): child is XmlElement => typeof child !== 'string' && child.name === 'pertinentInformation2',
    );
    const fragments = [
      plain(at(...message, 'pertinentInformation1', 'pertinentPrescription', 'author', 'time'), v3) +
        plain(at(...message, 'pertinentInformation1', 'pertinentPrescription', 'id'), v3),
      plain(at(...message, 'pertinentInformation1', 'pertinentPrescription', 'author', 'AgentPerson'), v3),
      plain(at(...message, 'recordTarget'), v3),
      ...items.map((item) => plain(childOf(item, 'pertinentLineItem') as XmlElement, v3)),
    ];
    const text = `<FragmentsToBeHashed>${fragments.map((f) => `<Fragment>${f}</Fragment>`).join('')}</FragmentsToBeHashed>`;
    const hash = createHash('sha256').update(text).digest('base64');
    expect(Buffer.from(digest(), 'base64').toString()).include(`<DigestValue>${hash}</DigestValue>`);
  });

  it('RS1 for the applications named', () => {
    const context = { applicationId: 'old', sha1ApplicationIds: new Set(['old']) };
    expect(parameter('algorithm', ORDER, context)).equal('RS1');
    const signedInfo = Buffer.from(parameter('digest', ORDER, context), 'base64').toString();
    expect(signedInfo).include('Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"');
    expect(signedInfo).match(/<DigestValue>[A-Za-z0-9+/]{27}=<\/DigestValue>/);
    expect(parameter('algorithm', ORDER, { ...context, applicationId: 'new' })).equal('RS256');
  });
});

/** The canonical form as the recommendation has it, written anew for what these messages hold. */
function plain(element: XmlElement, namespace = ''): string {
  const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const attributes = element.attributes
    .map(({ name, value }) => ` ${name}="${escaped(value).replaceAll('"', '&quot;')}"`)
    .sort()
    .join('');
  const content = element.children
    .map((child) =>
      typeof child === 'string' ? (child.trim() === '' ? '' : escaped(child).replaceAll('>', '&gt;')) : plain(child),
    )
    .join('');
  return `<${element.name}${namespace}${attributes}>${content}</${element.name}>`;
}

function reordered(pointer: string): Change[1] {
  const nth = Number(pointer.split('/')[2]);
  const { entry } = ORDER as { entry: readonly { resource: Record<string, Change[1]> }[] };
  return Object.fromEntries(Object.entries(entry[nth]?.resource ?? {}).reverse()) as Change[1];
}
