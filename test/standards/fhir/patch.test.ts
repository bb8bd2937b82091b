import { expect } from 'chai';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { applyJsonPatch } from '../../../src/standards/fhir/patch.ts';

const PATIENT = `{"resourceType":"Patient","id":"p1","active":true,"name":[{"family":"Ash","given":["Ann","Bo"]},{"family":"Birch"}],
  "a/b":{"m~n":1},"extension":[{"url":"http://example.org/w","valueDecimal":1.00}]}`;

const patched = (operations: string, resource = PATIENT): string =>
  formatJson(applyJsonPatch(parseJson(resource), parseJson(operations)));
const refusal = (operations: unknown, resource: unknown = parseJson(PATIENT)): FhirError => {
  try {
    applyJsonPatch(resource, operations);
  } catch (error) {
    expect(error).to.be.instanceOf(FhirError);
    return error as FhirError;
  }
  throw new Error('nothing was thrown');
};

/** RFC 6902 appendix A, each situation with a patient. */
const CASES: readonly [string, string, (resource: Record<string, never>) => void][] = [
  [
    'add: an object member',
    '[{"op":"add","path":"/gender","value":"female"}]',
    (r) => expect(r['gender']).to.equal('female'),
  ],
  [
    'add: a member that exists is replaced',
    '[{"op":"add","path":"/active","value":false}]',
    (r) => expect(r['active']).to.equal(false),
  ],
  [
    'add: an array element',
    '[{"op":"add","path":"/name/0/given/1","value":"New"}]',
    (r) => expect(r).to.have.deep.nested.property('name[0].given', ['Ann', 'New', 'Bo']),
  ],
  [
    'add: at the end of an array',
    '[{"op":"add","path":"/name/0/given/-","value":"Z"},{"op":"add","path":"/name/0/given/3","value":"Y"}]',
    (r) => expect(r).to.have.deep.nested.property('name[0].given', ['Ann', 'Bo', 'Z', 'Y']),
  ],
  [
    'add: an array into an array',
    '[{"op":"add","path":"/name/-","value":["x"]}]',
    (r) => expect(r).to.have.deep.nested.property('name[2]', ['x']),
  ],
  [
    'add: a nested object, then below it',
    '[{"op":"add","path":"/contact","value":[{}]},{"op":"add","path":"/contact/0/gender","value":"male"}]',
    (r) => expect(r).to.have.deep.nested.property('contact', [{ gender: 'male' }]),
  ],
  ['remove: a member', '[{"op":"remove","path":"/active"}]', (r) => expect(r).not.to.have.property('active')],
  [
    'remove: an array element',
    '[{"op":"remove","path":"/name/0"}]',
    (r) => expect(r).to.have.deep.property('name', [{ family: 'Birch' }]),
  ],
  [
    'replace: a value',
    '[{"op":"replace","path":"/name/1/family","value":"Cedar"}]',
    (r) => expect(r).to.have.nested.property('name[1].family', 'Cedar'),
  ],
  [
    'replace: an array element',
    '[{"op":"replace","path":"/name/0/given/0","value":"Cy"}]',
    (r) => expect(r).to.have.deep.nested.property('name[0].given', ['Cy', 'Bo']),
  ],
  [
    'move: a value',
    '[{"op":"move","from":"/name/1/family","path":"/name/0/text"}]',
    (r) => expect(r).to.have.deep.property('name', [{ family: 'Ash', given: ['Ann', 'Bo'], text: 'Birch' }, {}]),
  ],
  [
    'move: an array element',
    '[{"op":"move","from":"/name/0/given/0","path":"/name/0/given/1"}]',
    (r) => expect(r).to.have.deep.nested.property('name[0].given', ['Bo', 'Ann']),
  ],
  [
    'move: to where it is',
    '[{"op":"move","from":"/name/0","path":"/name/0"}]',
    (r) => expect(r).to.have.nested.property('name[0].family', 'Ash'),
  ],
  [
    'copy: a value, which is then its own',
    '[{"op":"copy","from":"/name/0","path":"/name/-"},{"op":"replace","path":"/name/2/family","value":"Elm"}]',
    (r) => {
      expect(r).to.have.nested.property('name[2].family', 'Elm');
      expect(r).to.have.nested.property('name[0].family', 'Ash');
    },
  ],
  [
    'test: values of each kind',
    `[{"op":"test","path":"/active","value":true},{"op":"test","path":"/name/1","value":{"family":"Birch"}},
      {"op":"test","path":"/name/0/given","value":["Ann","Bo"]},{"op":"test","path":"/name/0","value":{"given":["Ann","Bo"],"family":"Ash"}}]`,
    (r) => expect(r['active']).to.equal(true),
  ],
  [
    'test: numbers are equal by value, however they are written',
    `[${['1', '1.0', '1.00', '1e0', '10e-1', '0.1E+1', '1e-0']
      .map((n) => `{"op":"test","path":"/extension/0/valueDecimal","value":${n}}`)
      .join(',')}]`,
    (r) => expect(r['active']).to.equal(true),
  ],
  [
    'pointer: ~1 is a slash, ~0 a tilde',
    '[{"op":"test","path":"/a~1b/m~0n","value":1},{"op":"replace","path":"/a~1b/m~0n","value":2}]',
    (r) => expect(r).to.have.deep.property('a/b', { 'm~n': 2 }),
  ],
  [
    'members that RFC 6902 does not know are passed over',
    '[{"op":"add","path":"/gender","value":"other","xyz":1}]',
    (r) => expect(r['gender']).to.equal('other'),
  ],
  [
    'a null value is a value',
    '[{"op":"add","path":"/gender","value":null}]',
    (r) => expect(r['gender']).to.equal(null),
  ],
  ['no operations', '[]', (r) => expect(r['id']).to.equal('p1')],
];

describe('patch › RFC 6902', () => {
  for (const [title, operations, check] of CASES)
    it(title, () => check(JSON.parse(patched(operations)) as Record<string, never>));

  it('keeps the digits of what it does not touch and of what it adds', () => {
    const text = patched(
      '[{"op":"add","path":"/extension/-","value":{"url":"http://example.org/v","valueDecimal":2.50}}]',
    );
    expect(text).to.contain('"valueDecimal":1.00').and.to.contain('"valueDecimal":2.50');
  });

  it('does not change the resource it is given', () => {
    const resource = parseJson(PATIENT);
    applyJsonPatch(resource, [
      { op: 'remove', path: '/name/0/given/0' },
      { op: 'add', path: '/name/0/given/-', value: 'Z' },
      { op: 'move', from: '/name/1', path: '/name/0' },
    ]);
    expect(formatJson(resource)).to.equal(formatJson(parseJson(PATIENT)));
  });
});

describe('patch › 400 for what is no JSON Patch', () => {
  for (const [title, operations, told] of [
    ['not an array', { op: 'add' }, 'is an array of operations'],
    ['null', null, 'is an array of operations'],
    ['an operation that is no object', ['x'], 'Operation 0 must be an object'],
    ['an array for an operation', [[]], 'Operation 0 must be an object'],
    ['an unknown op', [{ op: 'put', path: '/active', value: 1 }], 'needs op'],
    ['an op of the prototype', [{ op: 'toString', path: '/active' }], 'needs op'],
    ['no path', [{ op: 'add', value: 1 }], 'has a path that must be a JSON Pointer'],
    ['a path that does not start with a slash', [{ op: 'remove', path: 'active' }], "must start with '/'"],
    ['a bad escape', [{ op: 'remove', path: '/a~2' }], "has a '~'"],
    ['no value', [{ op: 'replace', path: '/active' }], '(replace) needs a value'],
    ['no from', [{ op: 'move', path: '/active' }], 'has a from'],
    ['a move into itself', [{ op: 'move', from: '/name', path: '/name/0/x' }], 'into itself'],
    ['removing everything', [{ op: 'remove', path: '' }], 'whole resource'],
    ['[IN-10] a prototype key', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 'no resource has'],
    ['[IN-10] constructor', [{ op: 'add', path: '/name/constructor/prototype', value: 1 }], 'no resource has'],
    ['[IN-10] a prototype key in from', [{ op: 'copy', from: '/constructor', path: '/x' }], 'no resource has'],
    ['a path too deep', [{ op: 'add', path: '/a'.repeat(65), value: 1 }], 'more than 64 steps'],
  ] as const)
    it(title, () => {
      const error = refusal(operations);
      expect([error.status, error.issues[0]?.code]).to.eql([400, 'structure']);
      expect(error.message).to.contain(told);
    });

  it('tells of every malformed operation at once', () => {
    expect(
      refusal([
        { op: 'x', path: '/a' },
        { op: 'add', path: '/a' },
        { op: 'remove', path: '/a' },
      ]).issues,
    ).to.have.length(2);
  });

  it('[IN-01] 200 operations and no more', () => {
    const tests = (count: number) =>
      Array.from({ length: count }, () => ({ op: 'test', path: '/active', value: true }));
    expect(applyJsonPatch(parseJson(PATIENT), tests(200))).to.have.property('id', 'p1');
    expect(refusal(tests(201)).issues[0]?.code).to.equal('too-costly');
  });

  it('[IN-01] copies that double again and again, and nesting beyond the limit', () => {
    const doubling = [
      { op: 'add', path: '/list', value: [1] },
      ...Array.from({ length: 60 }, () => ({ op: 'copy', from: '/list', path: '/list/-' })),
    ];
    expect(refusal(doubling).issues[0]?.code).to.equal('too-costly');
    const chain = Array.from({ length: 30 }, (_, i) => ({ op: 'copy', from: '', path: '/x'.repeat(i + 1) }));
    expect(refusal(chain).issues[0]?.code).to.equal('too-costly');
    const deep = Array.from({ length: 64 }, (_, i) => ({ op: 'add', path: '/x'.repeat(i + 1), value: {} }));
    expect(refusal(deep).issues[0]?.code).to.equal('too-costly');
    expect(applyJsonPatch(parseJson(PATIENT), deep.slice(1, 1))).to.have.property('id');
  });
});

describe('patch › 422 for what cannot be carried out', () => {
  for (const [title, operations, told] of [
    ['remove of what is not there', [{ op: 'remove', path: '/gender' }], 'Operation 0 (remove /gender)'],
    [
      'replace of what is not there',
      [{ op: 'replace', path: '/gender', value: 'male' }],
      'Operation 0 (replace /gender)',
    ],
    ['add below what is not there', [{ op: 'add', path: '/contact/0/gender', value: 'x' }], 'Operation 0'],
    ['add beyond the end of an array', [{ op: 'add', path: '/name/3', value: {} }], 'Operation 0 (add /name/3)'],
    ['an index with a leading zero', [{ op: 'remove', path: '/name/00' }], 'Operation 0 (remove /name/00)'],
    ['a name for an index', [{ op: 'add', path: '/name/first', value: {} }], 'Operation 0 (add /name/first)'],
    ['- where nothing is', [{ op: 'remove', path: '/name/-' }], 'Operation 0 (remove /name/-)'],
    ['a path into a string', [{ op: 'add', path: '/name/0/family/x', value: 1 }], 'Operation 0'],
    ['a path into a decimal', [{ op: 'add', path: '/extension/0/valueDecimal/text', value: 1 }], 'Operation 0'],
    ['an inherited name', [{ op: 'test', path: '/toString', value: 1 }], 'Operation 0 (test /toString)'],
    ['move from what is not there', [{ op: 'move', from: '/gender', path: '/x' }], 'Operation 0 (move /gender)'],
    ['copy from what is not there', [{ op: 'copy', from: '/gender', path: '/x' }], 'Operation 0 (copy /gender)'],
    [
      'a failed test, of the second operation',
      [
        { op: 'test', path: '/active', value: true },
        { op: 'test', path: '/active', value: 'true' },
      ],
      'Operation 1 (test /active): the test failed',
    ],
    ['a number is not its text', [{ op: 'test', path: '/extension/0/valueDecimal', value: '1.00' }], 'the test failed'],
    ['a shorter array', [{ op: 'test', path: '/name/0/given', value: ['Ann'] }], 'the test failed'],
    [
      'another resourceType',
      [{ op: 'replace', path: '/resourceType', value: 'Person' }],
      'may not change resourceType',
    ],
    ['another id', [{ op: 'replace', path: '/id', value: 'p2' }], 'may not change id'],
    ['no id', [{ op: 'remove', path: '/id' }], 'may not change id'],
    [
      'another resource altogether',
      [{ op: 'replace', path: '', value: { resourceType: 'Patient' } }],
      'may not change id',
    ],
    ['no resource at all', [{ op: 'add', path: '', value: 1 }], 'must be a JSON object'],
  ] as const)
    it(title, () => {
      const error = refusal(operations);
      expect([error.status, error.issues[0]?.code]).to.eql([422, 'processing']);
      expect(error.message).to.contain(told);
    });

  it('names the place in FHIRPath, and no value', () => {
    const error = refusal([{ op: 'test', path: '/name/0/given/0', value: 'Secret' }]);
    expect(error.issues[0]?.expression).to.eql(['Patient.name[0].given[0]']);
    expect(error.message).not.to.match(/Secret|Ann/);
    expect(refusal([{ op: 'remove', path: '/Jane Secret' }]).message).not.to.contain('Secret');
  });
});
