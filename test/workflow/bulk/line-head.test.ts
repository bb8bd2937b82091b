/** Type and id of a line, seen before it is read. docs/bulk.md, SECURITY IN-01 */
import { expect } from 'chai';
import { parseJson } from '../../../src/standards/fhir/json.ts';
import { headOf, type LineHead } from '../../../src/workflow/bulk/line-head.ts';

const CASES: readonly (readonly [text: string, head: LineHead | undefined])[] = [
  ['{"resourceType":"Patient","id":"a"}', { type: 'Patient', id: 'a' }],
  ['{"id":"a","resourceType":"Patient"}', { type: 'Patient', id: 'a' }],
  ['  {\t"resourceType" :  "Patient" , "id" : "a-1.B"  }  ', { type: 'Patient', id: 'a-1.B' }],
  ['{"resourceType":"Patient"}', { type: 'Patient', id: undefined }],
  ['{"active":true,"n":-1.5e3,"x":null,"resourceType":"Patient"}', { type: 'Patient', id: undefined }],
  [
    '{"name":[{"id":"inner","family":"}]\\"{"}],"contained":[{"resourceType":"X","id":"i"}],"resourceType":"Patient","id":"a"}',
    { type: 'Patient', id: 'a' },
  ],
  ['{"text":"\\\\","resourceType":"Patient","id":"a"}', { type: 'Patient', id: 'a' }],
  ['{"resourceType":"Patient","id":"ü"}', { type: 'Patient', id: 'ü' }],
  ['{"resourceType":"Patient","x":{},"y":[],"z":""}', { type: 'Patient', id: undefined }],
  // The reader says what is wrong with these, or takes them.
  ['', undefined],
  ['{}', undefined],
  ['[]', undefined],
  ['"resourceType"', undefined],
  ['{"id":"a"}', undefined],
  ['{"resourceType":5}', undefined],
  ['{"resourceType":"Patient","id":5}', undefined],
  ['{"resourceType":"Patient","id":null}', undefined],
  ['{"resourceType":"Pati\\u0065nt","id":"a"}', undefined],
  ['{"resourceType":"Patient","\\u0069d":"a"}', undefined],
  ['{"resourceType":"Patient","id":"\\u0061"}', undefined],
  ['{"resourceType":"Patient","name":[', undefined],
  ['{"resourceType":"Patient","name":"', undefined],
  ['{"resourceType":"Patient"', undefined],
  ['{"resourceType":"Patient" "id":"a"}', undefined],
  ['{"resourceType"}', undefined],
  ['{"a":"\\', undefined],
];

describe('$import › the head of a line', () => {
  for (const [text, head] of CASES)
    it(text === '' ? 'an empty line' : text, () => expect(headOf(Buffer.from(text))).deep.equal(head));

  it('whatever the reader takes has the type and id that were told', () => {
    const values = ['"a"', '5', 'null', 'true', '{}', '[]', '{"id":"n"}', '["id"]', '"\\u0061"', '""', '"\\""'];
    const names = ['"id"', '"resourceType"', '"\\u0069d"', '"x"', '"id "', '"idx"'];
    let told = 0;
    for (const first of names)
      for (const second of names)
        for (const one of values)
          for (const two of values)
            for (const text of [`{${first}:${one},${second}:${two}}`, `{ ${first} : ${one}\t,${second}:${two} }`]) {
              const head = headOf(Buffer.from(text));
              if (!head) continue;
              told += 1;
              let value: { readonly resourceType?: unknown; readonly id?: unknown };
              try {
                value = parseJson(Buffer.from(text)) as typeof value;
              } catch {
                continue; // such as a name that comes twice
              }
              expect([value.resourceType, value.id], text).deep.equal([head.type, head.id]);
            }
    expect(told).above(100);
  });

  it('cut off anywhere: no head, or the one that the whole has', () => {
    const whole = '{"a":[1,{"b":"c\\"d"}],"id":"i","c":"d","resourceType":"Patient","e":{"f":null}}';
    for (let length = 0; length <= whole.length; length++) {
      const head = headOf(Buffer.from(whole.slice(0, length)));
      if (head) expect(head).deep.equal({ type: 'Patient', id: 'i' });
    }
  });
});
