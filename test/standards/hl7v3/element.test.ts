/** The building blocks of V3 messages. */
import { expect } from 'chai';
import { annotation, pertinent, quantityInUnits } from '../../../src/standards/hl7v3/act.ts';
import { formatDate, formatDateTime, formatIso } from '../../../src/standards/hl7v3/date-time.ts';
import { bareElement, element, textElement, valueElement } from '../../../src/standards/hl7v3/element.ts';
import { codeIn, globalId, idIn } from '../../../src/standards/hl7v3/identifier.ts';
import { INTERACTIONS } from '../../../src/standards/hl7v3/interaction.ts';
import { OID } from '../../../src/standards/hl7v3/oid.ts';
import { canonicalise } from '../../../src/standards/xml/canonicalise.ts';
import type { XmlElement } from '../../../src/standards/xml/tree.ts';

const text = (target: XmlElement): string => canonicalise(target).replace(' xmlns="urn:hl7-org:v3"', '');

describe('standards › hl7v3 › element', () => {
  it('attributes in alphabetical order, those without value left out', () => {
    const built = element('a', { z: '1', b: '2', c: undefined, a: '3' });
    expect(built.attributes.map(({ name, value }) => name + value)).deep.equal(['a3', 'b2', 'z1']);
  });

  it('content in the order given, what is undefined left out', () => {
    const built = element('a', undefined, element('c'), undefined, [element('b'), undefined, element('d')], []);
    expect(text(built)).equal('<a><c></c><b></b><d></d></a>');
  });

  for (const [title, value, normal] of [
    ['a run of tabs and form feeds', 'a\t\t\f\tb', 'a b'],
    ['each line end', 'a\r\n\nb', 'a  b'],
    ['a carriage return alone', 'a\rb', 'a b'],
    ['spaces stay', ' a  b ', ' a  b '],
  ] as const)
    it(`attribute › ${title}`, () => expect(element('a', { value }).attributes[0]?.value).equal(normal));

  for (const [title, value, children] of [
    ['white space as it is', ' a\t\n b ', [' a\t\n b ']],
    ['line ends as line feeds', 'a\r\nb\rc', ['a\nb\nc']],
    ['a form feed as a space', 'a\fb', ['a b']],
    ['nothing', '', []],
    ['no text', undefined, []],
  ] as const)
    it(`text › ${title}`, () => expect(textElement('a', value).children).deep.equal(children));

  it('a bare element has no namespace, what is in it has', () => {
    expect(canonicalise(bareElement('a', valueElement('b', '1')))).equal(
      '<a><b xmlns="urn:hl7-org:v3" value="1"></b></a>',
    );
  });
});

describe('standards › hl7v3 › identifier', () => {
  for (const [id, root] of [
    ['46183abc-9fad-4673-85db-ce2cb6614732', '46183ABC-9FAD-4673-85DB-CE2CB6614732'],
    ['urn:uuid:46183abc-9fad-4673-85db-ce2cb6614732', 'URN:UUID:46183ABC-9FAD-4673-85DB-CE2CB6614732'],
    ['46183ABC-9fad-4673-85db-ce2cb6614732', '46183ABC-9FAD-4673-85DB-CE2CB6614732'],
    ['not-a-uuid', 'not-a-uuid'],
  ] as const)
    it(`globalId › ${id}`, () => expect(text(globalId(id))).equal(`<id root="${root}"></id>`));

  it('idIn', () =>
    expect(text(idIn('odsOrganisation', 'fa1'))).equal('<id extension="fa1" root="1.2.826.0.1285.0.1.10"></id>'));

  it('codeIn', () => {
    expect(text(codeIn('snomedCt', '1', 'One'))).equal(
      `<code code="1" codeSystem="${OID.snomedCt}" displayName="One"></code>`,
    );
    expect(text(codeIn('itemStatus', '1', undefined, 'value'))).equal(
      `<value code="1" codeSystem="${OID.itemStatus}"></value>`,
    );
  });

  it('every object identifier is one, and stands for one thing', () => {
    for (const oid of Object.values(OID)) expect(oid).match(/^[0-2](\.(0|[1-9]\d*))+$/);
    expect(new Set(Object.values(OID)).size).equal(Object.keys(OID).length);
  });

  it('every message has an interaction of its own', () => {
    for (const interaction of Object.values(INTERACTIONS)) expect(interaction).match(/^PORX_IN\d{6}SM3[0-2]$/);
    expect(new Set(Object.values(INTERACTIONS)).size).equal(8);
  });
});

describe('standards › hl7v3 › act', () => {
  it('pertinent', () => {
    expect(
      text(
        pertinent(
          'pertinentInformation8',
          false,
          annotation('pertinentTokenIssued', 'TI', valueElement('value', 'false')),
        ),
      ),
    ).equal(
      '<pertinentInformation8 contextConductionInd="true" typeCode="PERT"><seperatableInd value="false"></seperatableInd>' +
        `<pertinentTokenIssued classCode="OBS" moodCode="EVN"><code code="TI" codeSystem="${OID.annotation}"></code><value value="false"></value></pertinentTokenIssued></pertinentInformation8>`,
    );
  });

  it('a quantity keeps its digits, in both units', () => {
    expect(text(quantityInUnits('1.0', '2', 'tablet'))).equal(
      `<quantity unit="1" value="1.0"><translation code="2" codeSystem="${OID.snomedCt}" displayName="tablet" value="1.0"></translation></quantity>`,
    );
  });
});

describe('standards › hl7v3 › date-time', () => {
  const at = Date.parse('2016-03-11T02:39:32.999Z');
  it('DateTime', () => expect(formatDateTime(at)).equal('20160311023932'));
  it('Date', () => expect(formatDate(at)).equal('20160311'));
  it('FHIR instant', () => expect(formatIso(at)).equal('2016-03-11T02:39:32+00:00'));
});
