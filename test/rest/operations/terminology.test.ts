/** The terminology operations at the door: type and instance, GET and POST, JSON and XML, with rights. */
import { expect } from 'chai';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../../src/standards/fhir/xml/write.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { createFhirClient, type FhirClient, type Json, outcomeOf, type Reply } from '../../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

interface Parameter {
  readonly name: string;
  readonly part?: readonly Parameter[];
  readonly [value: `value${string}`]: unknown;
}
const GENDER = 'http://hl7.org/fhir/administrative-gender';
const validate = createValidator(testDefinitions());
const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';

const parametersOf = (reply: Reply): readonly Parameter[] => {
  expect(reply.status, reply.text).equal(200);
  expect(reply.json()['resourceType']).equal('Parameters');
  expect(validate(reply.json())).deep.equal([]);
  return reply.json<{ parameter: readonly Parameter[] }>().parameter;
};
const answerValue = (reply: Reply, name: string): unknown => {
  const found = parametersOf(reply).find((one) => one.name === name);
  return Object.entries(found ?? {}).find(([key]) => key.startsWith('value'))?.[1];
};
const codesOf = (reply: Reply): readonly string[] => {
  expect(reply.status, reply.text).equal(200);
  expect(validate(reply.json())).deep.equal([]);
  const { contains = [] } = reply.json<{ expansion: { contains?: readonly { code: string }[] } }>().expansion;
  return contains.map(({ code }) => code);
};
const query = (parameters: Readonly<Record<string, string>>): string => new URLSearchParams(parameters).toString();
const body = (...parameter: readonly object[]) => ({ resourceType: 'Parameters', parameter });

describe('terminology operations', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const put = async (resource: Json): Promise<void> => {
      const reply = await fhir.put(`${resource['resourceType']}/${resource['id']}`, resource);
      expect(reply.status, reply.text).equal(201);
    };
    const concept = (code: string, display: string, inner: readonly object[] = []) => ({
      code,
      display,
      ...(inner.length > 0 && { concept: inner }),
    });
    await put({
      resourceType: 'CodeSystem',
      id: 'animals',
      url: 'urn:animals',
      version: '1',
      status: 'active',
      content: 'complete',
      concept: [concept('cat', 'Cat', [concept('lion', 'Lion')]), concept('dog', 'Dog')],
    });
    await put({
      resourceType: 'CodeSystem',
      id: 'animals-de',
      url: 'urn:animals-de',
      status: 'active',
      content: 'supplement',
      supplements: 'urn:animals',
      language: 'de',
      concept: [concept('cat', 'Katze')],
    });
    await put({
      resourceType: 'ValueSet',
      id: 'cats',
      url: 'urn:cats',
      status: 'active',
      compose: { include: [{ system: 'urn:animals', filter: [{ property: 'concept', op: 'is-a', value: 'cat' }] }] },
    });
    await put({
      resourceType: 'ConceptMap',
      id: 'map',
      url: 'urn:map',
      status: 'active',
      sourceCanonical: 'urn:cats',
      targetUri: 'urn:genders',
      group: [
        {
          source: 'urn:animals',
          target: GENDER,
          element: [{ code: 'cat', target: [{ code: 'female', equivalence: 'inexact', comment: 'not all' }] }],
        },
      ],
    });
    // One that would replace what R4 publishes.
    await put({
      resourceType: 'ValueSet',
      id: 'shadow',
      url: 'http://hl7.org/fhir/ValueSet/administrative-gender',
      status: 'active',
      compose: { include: [{ system: 'urn:animals' }] },
    });
  });
  after(() => stopChecked(server));

  it('CodeSystem/$lookup, by GET and POST, of R4 and of what is stored with its supplements', async () => {
    const byGet = await fhir.get(`CodeSystem/$lookup?${query({ system: GENDER, code: 'male' })}`);
    expect([answerValue(byGet, 'name'), answerValue(byGet, 'display')]).deep.equal(['AdministrativeGender', 'Male']);
    const byPost = await fhir.post(
      'CodeSystem/$lookup',
      body(
        { name: 'coding', valueCoding: { system: 'urn:animals', code: 'cat' } },
        { name: 'displayLanguage', valueCode: 'de' },
      ),
    );
    expect(answerValue(byPost, 'display')).equal('Katze');
    expect(answerValue(await fhir.get('CodeSystem/animals/$lookup?code=dog'), 'display')).equal('Dog');
    const none = await fhir.get('CodeSystem/animals/$lookup?code=cow');
    expect([none.status, outcomeOf(none).code]).deep.equal([404, 'not-found']);
  });

  it('an instance is itself, whatever else has its url or none has', async () => {
    for (const [id, url] of [
      ['own-gender', { url: GENDER }],
      ['no-url', {}],
    ] as const) {
      const own = {
        resourceType: 'CodeSystem',
        id,
        ...url,
        status: 'active',
        content: 'complete',
        concept: [{ code: 'x', display: 'Own' }],
      };
      expect((await fhir.put(`CodeSystem/${id}`, own)).status).equal(201);
      expect(answerValue(await fhir.get(`CodeSystem/${id}/$lookup?code=x`), 'display')).equal('Own');
      expect(answerValue(await fhir.get(`CodeSystem/${id}/$validate-code?code=x`), 'result')).equal(true);
      expect(answerValue(await fhir.get(`CodeSystem/${id}/$subsumes?codeA=x&codeB=x`), 'outcome')).equal('equivalent');
    }
    const ofR4 = await fhir.get(`CodeSystem/$validate-code?${query({ url: GENDER, code: 'x' })}`);
    expect(answerValue(ofR4, 'result')).equal(false);
  });

  it('CodeSystem/$subsumes', async () => {
    const outcome = async (path: string) => answerValue(await fhir.get(path), 'outcome');
    expect(await outcome('CodeSystem/$subsumes?system=urn:animals&codeA=cat&codeB=lion')).equal('subsumes');
    expect(await outcome('CodeSystem/animals/$subsumes?codeA=lion&codeB=cat')).equal('subsumed-by');
    expect(
      await outcome(`CodeSystem/$subsumes?${query({ system: ACT_CODE, codeA: '_ActEncounterCode', codeB: 'ACUTE' })}`),
    ).equal('subsumes');
    const posted = await fhir.post(
      'CodeSystem/$subsumes',
      body(
        { name: 'codingA', valueCoding: { system: 'urn:animals', code: 'dog' } },
        { name: 'codingB', valueCoding: { system: 'urn:animals', code: 'cat' } },
      ),
    );
    expect(answerValue(posted, 'outcome')).equal('not-subsumed');
  });

  it('CodeSystem/$validate-code', async () => {
    for (const [path, result] of [
      [`CodeSystem/$validate-code?${query({ url: GENDER, code: 'male' })}`, true],
      [`CodeSystem/$validate-code?${query({ url: GENDER, code: 'man' })}`, false],
      ['CodeSystem/animals/$validate-code?code=lion&display=Lion', true],
      ['CodeSystem/animals/$validate-code?code=lion&display=Tiger', false],
    ] as const)
      expect(answerValue(await fhir.get(path), 'result'), path).equal(result);
    const own = {
      resourceType: 'CodeSystem',
      url: 'urn:own',
      status: 'draft',
      content: 'complete',
      concept: [{ code: 'x' }],
    };
    expect(
      answerValue(
        await fhir.post(
          'CodeSystem/$validate-code',
          body({ name: 'codeSystem', resource: own }, { name: 'code', valueCode: 'x' }),
        ),
        'result',
      ),
    ).equal(true);
  });

  it('ValueSet/$validate-code', async () => {
    expect(answerValue(await fhir.get('ValueSet/cats/$validate-code?system=urn:animals&code=lion'), 'result')).equal(
      true,
    );
    expect(
      answerValue(await fhir.get('ValueSet/$validate-code?url=urn:cats&system=urn:animals&code=dog'), 'result'),
    ).equal(false);
    const concept = {
      coding: [
        { system: 'urn:x', code: 'y' },
        { system: 'urn:animals', code: 'cat' },
      ],
    };
    expect(
      answerValue(
        await fhir.post(
          'ValueSet/cats/$validate-code',
          body({ name: 'codeableConcept', valueCodeableConcept: concept }),
        ),
        'result',
      ),
    ).equal(true);
    const unknown = await fhir.get('ValueSet/$validate-code?url=urn:nowhere&code=x');
    expect([unknown.status, outcomeOf(unknown).code]).deep.equal([422, 'not-found']);
  });

  it('ValueSet/$expand: by url, of the path, of the body; what R4 publishes whole cannot be replaced', async () => {
    expect(
      codesOf(
        await fhir.get(`ValueSet/$expand?${query({ url: 'http://hl7.org/fhir/ValueSet/administrative-gender' })}`),
      ),
    ).deep.equal(['male', 'female', 'other', 'unknown']);
    expect(codesOf(await fhir.get('ValueSet/cats/$expand'))).deep.equal(['cat', 'lion']);
    expect(codesOf(await fhir.get('ValueSet/$expand?url=urn:cats&filter=li'))).deep.equal(['lion']);
    const own = {
      resourceType: 'ValueSet',
      status: 'draft',
      compose: { include: [{ system: 'urn:animals' }], exclude: [{ valueSet: ['urn:cats'] }] },
    };
    expect(codesOf(await fhir.post('ValueSet/$expand', body({ name: 'valueSet', resource: own })))).deep.equal(['dog']);
    const page = await fhir.get(
      `ValueSet/$expand?${query({ url: 'http://terminology.hl7.org/ValueSet/v3-ActCode', count: '2', offset: '1' })}`,
    );
    expect(codesOf(page)).length(2);
    expect(page.json()).nested.property('expansion.total').greaterThan(500);
    expect(page.json()).nested.include({ 'expansion.offset': 1 }).and.not.have.property('compose');
  });

  it('ConceptMap/$translate', async () => {
    for (const path of [
      'ConceptMap/map/$translate?system=urn:animals&code=cat',
      'ConceptMap/$translate?url=urn:map&system=urn:animals&code=cat',
    ]) {
      const reply = await fhir.get(path);
      expect(answerValue(reply, 'result')).equal(true);
      const match = parametersOf(reply).find(({ name }) => name === 'match')?.part ?? [];
      expect(match[1]).deep.equal({ name: 'concept', valueCoding: { system: GENDER, code: 'female' } });
    }
    expect(answerValue(await fhir.get('ConceptMap/map/$translate?system=urn:animals&code=dog'), 'result')).equal(false);
    const between = { source: 'http://hl7.org/fhir/ValueSet/administrative-gender', system: GENDER, code: 'male' };
    const ofR4 = await fhir.get(`ConceptMap/$translate?${query(between)}`);
    expect([answerValue(ofR4, 'result'), ofR4.text.includes('v3-AdministrativeGender')]).deep.equal([true, true]);
    const stored = { source: 'urn:cats', target: 'urn:genders', system: 'urn:animals', code: 'cat' };
    expect(answerValue(await fhir.get(`ConceptMap/$translate?${query(stored)}`), 'result')).equal(true);
    expect((await fhir.get(`ConceptMap/$translate?${query({ ...stored, target: 'urn:x' })}`)).status).equal(422);
    // Without the name of a map: all from the system of the code, or into the value set.
    for (const [asked, concept] of [
      [{ system: 'urn:animals', code: 'cat' }, 'female'],
      [{ system: 'urn:animals', code: 'cat', targetsystem: GENDER }, 'female'],
      [{ system: 'urn:animals', code: 'cat', target: 'urn:genders' }, 'female'],
      [{ system: GENDER, code: 'female', reverse: 'true', targetsystem: 'urn:animals' }, 'cat'],
      [
        {
          system: GENDER,
          code: 'female',
          targetsystem: 'http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender',
        },
        'F',
      ],
    ] as const) {
      const reply = await fhir.get(`ConceptMap/$translate?${query(asked)}`);
      expect(answerValue(reply, 'result'), reply.text).equal(true);
      expect(reply.text).match(new RegExp(`"code":"${concept}"`));
    }
    expect(
      answerValue(
        await fhir.get(`ConceptMap/map/$translate?${query({ system: GENDER, code: 'female', reverse: 'true' })}`),
        'result',
      ),
    ).equal(true);
  });

  it('XML in and out', async () => {
    const definitions = testDefinitions();
    const xml = createXmlWriter(definitions)(body({ name: 'url', valueUri: 'urn:cats' }));
    const reply = await fhir.post('ValueSet/$expand', xml, {
      'content-type': 'application/fhir+xml',
      accept: 'application/fhir+xml',
    });
    expect(createXmlReader(definitions)(reply.text)).nested.property('expansion.contains').length(2);
  });

  it('refusals say what is missing or too much', async () => {
    for (const [path, status, said] of [
      ['CodeSystem/$lookup?system=urn:animals', 400, 'needs code'],
      ['CodeSystem/$lookup?code=cat', 400, 'needs system'],
      ['CodeSystem/$lookup?system=urn:animals&code=cat&nonsense=1', 400, "no parameter 'nonsense'"],
      ['CodeSystem/$lookup?system=http://snomed.info/sct&code=1', 422, 'snomed.info/sct'],
      ['CodeSystem/animals/$lookup?system=urn:x&code=cat', 400, 'not the code system of the path'],
      ['CodeSystem/nowhere/$lookup?code=cat', 404, 'not found'],
      ['ValueSet/$expand', 400, 'needs url'],
      ['ValueSet/$expand?url=urn:cats&count=-1', 400, 'whole number'],
      ['ValueSet/$expand?url=urn:cats&activeOnly=yes', 400, 'true or false'],
      ['ValueSet/$expand?url=urn:cats&url=urn:dogs', 400, 'once only'],
      ['ValueSet/$validate-code?url=urn:cats', 400, 'one of code, coding and codeableConcept'],
      ['ConceptMap/$translate?url=urn:nowhere&code=x', 422, 'urn:nowhere'],
      ['ConceptMap/$translate?code=x', 400, 'the system of each code'],
      ['ConceptMap/$translate?system=urn:nowhere&code=x', 422, 'from the code system urn:nowhere is known'],
      ['ConceptMap/$translate?source=urn:nowhere&code=x', 422, 'from the value set urn:nowhere is known'],
    ] as const) {
      const reply = await fhir.get(path);
      expect(reply.status, path).equal(status);
      expect(outcomeOf(reply).diagnostics, path).contains(said);
    }
    const invalid = await fhir.post(
      'ValueSet/$expand',
      body({ name: 'valueSet', resource: { resourceType: 'ValueSet', nonsense: 1 } }),
    );
    expect(invalid.status).equal(422);
  });

  it('[CP-02] rights: of the type, and of what is stored', async () => {
    const as = async (scope: string) =>
      createFhirClient({
        fhirBaseUrl: server.fhirBaseUrl,
        bearer: { authorization: `Bearer ${await operatorToken(server, { scope })}` },
      });
    const patients = await as('system/Patient.rs');
    for (const path of [
      'ValueSet/$expand?url=urn:cats',
      'ValueSet/cats/$expand',
      'CodeSystem/$lookup?system=urn:animals&code=cat',
      'ConceptMap/map/$translate?code=cat',
    ])
      expect((await patients.get(path)).status, path).equal(403);
    // Who sees value sets and no code systems has those of R4 alone.
    const valueSets = await as('system/ValueSet.rs');
    expect(
      codesOf(
        await valueSets.get(`ValueSet/$expand?${query({ url: 'http://hl7.org/fhir/ValueSet/administrative-gender' })}`),
      ),
    ).length(4);
    expect((await valueSets.get('ValueSet/$expand?url=urn:cats')).status).equal(422);
  });

  it('the statement declares them where they are', async () => {
    const { rest } = (await fhir.get('metadata')).json<{
      rest: { resource: { type: string; operation?: { name: string; definition: string }[] }[] }[];
    }>();
    const declared = (rest[0]?.resource ?? []).flatMap(({ type, operation = [] }) =>
      operation.map(({ name }) => `${type}/$${name}`),
    );
    expect(declared).include.members([
      'CodeSystem/$lookup',
      'CodeSystem/$subsumes',
      'CodeSystem/$validate-code',
      'ConceptMap/$translate',
      'ValueSet/$expand',
      'ValueSet/$validate-code',
    ]);
    for (const path of declared.filter((one) =>
      /^(?:CodeSystem|ConceptMap|ValueSet)\/\$(?!meta|validate$|graphql|reindex)/.test(one),
    )) {
      // Each is there: what is missing are its parameters.
      expect((await fhir.get(path)).status, path).equal(400);
    }
  });
});
