import { expect } from 'chai';
import fc from 'fast-check';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { formatSelfLink } from '../../../../src/standards/fhir/search/parse.ts';
import type { SearchRequest } from '../../../../src/standards/fhir/search/request.ts';
import { typeParameters } from './fixtures.ts';
import { codes, messages, parse, type Query, refuse, valuesOf } from './parse-fixtures.ts';

describe('search › handling', () => {
  it('strict: an unknown parameter is refused with the nearest names', () => {
    const error = refuse('Patient', 'brithdate=2000-01-01&_sorts=name');
    expect(error.status).to.equal(400);
    expect(error.issues.map((i) => i.diagnostics)).to.deep.equal([
      "Unknown parameter 'brithdate' for Patient; did you mean birthdate?",
      "Unknown parameter '_sorts' for Patient; did you mean _sort?",
    ]);
  });
  it('lenient: it is left out, and told', () => {
    const found = parse('Patient', 'nothing=1&name=eve&_content=x&patient.nothing=1&_sort=nothing', 'lenient');
    expect(found.conditions).to.have.length(1);
    expect(found.ignored.map((i) => i.name)).to.deep.equal(['nothing', '_content', 'patient.nothing', '_sort']);
    expect(found.applied).to.deep.equal([['name', 'eve']]);
  });
  it('lenient: a wrong value is refused all the same', () => {
    expect(refuse('Patient', 'birthdate=x', 'lenient').status).to.equal(400);
  });
  it('_content is for servers that search every text', () => {
    const [problem] = refuse('Patient', '_content=x').issues;
    expect(problem?.code).equal('not-supported');
    expect(problem?.diagnostics).contains('FULL_TEXT');
  });
  for (const name of ['_query'])
    it(`${name} is known but not supported`, () => {
      expect(refuse('Patient', `${name}=x`).issues).to.deep.equal([
        {
          severity: 'error',
          code: 'not-supported',
          diagnostics: `Parameter '${name}' is not supported by this server yet`,
        },
      ]);
    });
  it('every issue is gathered', () => {
    expect(refuse('Patient', 'a=1&birthdate=x&gender:in=y&_count=-1&%=').issues).to.have.length(5);
  });
  it('an unknown type is not found', () => {
    for (const type of ['Nothing', 'Parameters', '__proto__']) expect(refuse(type, '').status).to.equal(404);
  });
  it('brackets and prototype names are unknown parameters (IN-11)', () => {
    for (const name of ['a[b]', 'name[]', '__proto__', 'constructor', 'toString', 'name[exact]'])
      expect(messages('Patient', [[name, '1']])[0]).to.match(/^Unknown parameter/);
  });
});

describe('search › limits', () => {
  it('100 parameters', () => {
    const query = (n: number) => Array(n).fill('name=a').join('&');
    expect(parse('Patient', query(100)).conditions).to.have.length(100);
    expect(codes('Patient', query(101))).to.deep.equal(['too-costly']);
  });
  it('4 KiB a value', () => {
    expect(parse('Patient', [['name', 'a'.repeat(4096)]]).conditions).to.have.length(1);
    expect(codes('Patient', [['name', 'a'.repeat(4097)]])).to.deep.equal(['too-long']);
    expect(codes('Patient', [['a'.repeat(4097), '1']])).to.deep.equal(['too-long']);
  });
  it('500 values', () => {
    const list = (n: number) => Array(n).fill('a').join(',');
    expect(valuesOf('Patient', [['name', list(500)]])).to.have.length(500);
    expect(codes('Patient', [['name', list(501)]])).to.deep.equal(['too-costly']);
  });
  it('diagnostics repeat no value and cut long names', () => {
    const secret = 'Zbigniew';
    for (const [name, value] of [
      ['birthdate', secret],
      ['identifier', `${secret}|b|c`],
      ['general-practitioner', `${secret} x`],
      ['gender:missing', secret],
      ['_count', secret],
      ['_include', secret],
      ['_id', `${secret} y`],
    ] as const)
      expect(messages('Patient', [[name, value]]).join()).to.not.include(secret);
    expect(messages('Patient', [['n'.repeat(4000), '1']])[0]?.length).to.be.lessThan(200);
  });
});

describe('search › self link', () => {
  it('is the query of what took part, and parses to the same', () => {
    const first = parse(
      'Observation',
      'code=http://loinc.org|1-2,3&nothing=1&date=ge2013&_count=5&_cursor=x&_format=json',
      'lenient',
    );
    const link = formatSelfLink(first);
    expect(link).to.equal('code=http://loinc.org%7C1-2,3&date=ge2013&_count=5');
    expect(parse('Observation', link).conditions).to.deep.equal(first.conditions);
  });
});

describe('search › fuzz', () => {
  const names = [
    ...typeParameters('Observation').parameters.keys(),
    '_has:Observation:patient:code',
    'subject:Patient.name',
    '_include',
    '_sort',
    '_count',
    '_elements',
    '_id',
    '_has:',
    ':',
    '.',
  ];
  const name = fc.oneof(
    fc.constantFrom(...names),
    fc.string(),
    fc
      .tuple(
        fc.constantFrom(...names),
        fc.constantFrom(
          ':exact',
          ':not',
          ':missing',
          ':of-type',
          ':Patient',
          '.name',
          ':',
          '.',
          '._has:Group:member:_id',
        ),
        fc.string({ maxLength: 4 }),
      )
      .map((x) => x.join('')),
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9a-z|,$\\.:/*-]{0,20}$/),
    fc.constantFrom('ge2013', '5||mg', 'Patient/1', 'a$b', '*', 'Observation:subject'),
  );

  const check = (query: Query, handling: 'strict' | 'lenient'): void => {
    let request: SearchRequest;
    try {
      request = parse('Observation', query, handling);
    } catch (error) {
      expect(error).to.be.instanceOf(FhirError);
      expect((error as FhirError).status).to.equal(400);
      return;
    }
    expect(parse('Observation', formatSelfLink(request), handling).conditions).to.deep.equal(request.conditions);
  };

  it('any pairs: a request or a FhirError', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), fc.constantFrom('strict', 'lenient'), check),
      { numRuns: 2000 },
    );
  });
  it('any query string: a request or a FhirError', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.constantFrom('strict', 'lenient'), check), {
      numRuns: 2000,
    });
  });
  it('hostile values take no time (IN-30)', () => {
    const started = performance.now();
    for (const hostile of [
      '\\'.repeat(4096),
      ','.repeat(4096),
      '|'.repeat(4096),
      '$'.repeat(4096),
      '1'.repeat(4096),
      '/'.repeat(4096),
      'a:'.repeat(2048),
      `urn:${'a'.repeat(4000)}`,
    ])
      for (const code of [
        'code',
        'date',
        'value-quantity',
        'subject',
        'code-value-quantity',
        '_id',
        '_sort',
        '_elements',
        '_include',
        hostile,
      ])
        check([[code, hostile]], 'strict');
    expect(performance.now() - started).to.be.lessThan(30_000);
  });
});
