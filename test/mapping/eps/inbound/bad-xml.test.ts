/** V3 that is no V3, or none that may be read: refused with an OperationOutcome that says where. SECURITY IN-20 */
import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import { convert } from '../../../../src/mapping/convert.ts';
import { findXmlSource } from '../../../../src/mapping/find-source.ts';
import { readFixture } from '../fixture.ts';

const GOOD = readFixture('prescription-order-acute.v3.xml');
const deep = (n: number): string => `${'<a>'.repeat(n)}${'</a>'.repeat(n)}`;
const put = (text: string): string => GOOD.replace('<creationTime', `${text}<creationTime`);

const CASES: readonly (readonly [what: string, content: string | Buffer, words: RegExp, place: string | undefined])[] =
  [
    ['a document type', GOOD.replace('?>', '?>\n<!DOCTYPE x>'), /document type \(DOCTYPE\)/, '2:1'],
    ['an entity of its own', GOOD.replace('?>', '?><!DOCTYPE x [<!ENTITY y "z">]>'), /DOCTYPE/, '1:39'],
    [
      'an entity that is not declared',
      GOOD.replace('<family>', '<family>&y;'),
      /Line 64, column 27: undefined entity/,
      '64:27',
    ],
    ['a reference to a character that XML has not', GOOD.replace('<family>', '<family>&#0;'), /^Line 64/, '64:28'],
    ['elements too deep', put(deep(70)), /nested deeper than 64/, '4:194'],
    ['too many elements', put('<a/>'.repeat(20_001)), /more than 20000 elements/, '4:79998'],
    [
      'too many attributes',
      put(`<a ${Array.from({ length: 65 }, (_, n) => `b${n}=""`).join(' ')}/>`),
      /more than 64/,
      '4:449',
    ],
    ['too long', put('x'.repeat(5 * 1024 * 1024)), /longer than/, undefined],
    [
      'another namespace',
      GOOD.replace('urn:hl7-org:v3', 'urn:hl7-org:v2'),
      /PORX_IN020101SM31 is not in the namespace urn:hl7-org:v3/,
      '2:42',
    ],
    [
      'another namespace within',
      GOOD.replace('<ParentPrescription ', '<ParentPrescription xmlns="urn:x" '),
      /ParentPrescription is in the namespace urn:x, .*line 41, column 13/,
      'PORX_IN020101SM31/ControlActEvent/subject/ParentPrescription',
    ],
    ['another root', '<ClinicalDocument xmlns="urn:hl7-org:v3"/>', /ClinicalDocument is no V3 message/, undefined],
    ['another encoding declared', GOOD.replace('UTF-8', 'ISO-8859-1'), /another encoding than UTF-8/, '1:1'],
    [
      'bytes of another encoding',
      Buffer.from(GOOD.replace('Quentin', 'Qu\u00e9ntin'), 'latin1'),
      /not valid UTF-8/,
      '63:26',
    ],
    ['cut off', GOOD.slice(0, 2000), /Line 46, column 41: unclosed tag/, '46:41'],
    ['two roots', `${GOOD.trimEnd()}<a/>`, /^Line \d+/, undefined],
    ['nothing', ' ', /empty/, undefined],
  ];

describe('mapping › eps › inbound › bad XML', () => {
  for (const [what, given, words, place] of CASES)
    it(`[IN-20] ${what}`, () => {
      const content = Buffer.from(given);
      const request = { at: 0, headers: {}, timeZone: 'UTC', epsToAsid: '567456789789', newId: () => 'x' };
      const { value, outcome, status } = convert({ ...request, content, source: findXmlSource(content), to: 'fhir' });
      expect([value, status, outcome.resourceType]).deep.equal([undefined, 422, 'OperationOutcome']);
      const [issue] = outcome.issue;
      expect(issue?.severity).equal('error');
      expect(issue?.diagnostics).match(words);
      if (place !== undefined) expect(issue?.expression).deep.equal([place]);
    });
});
