import { expect } from 'chai';
import {
  bundleOf,
  createFhirClient,
  type FhirClient,
  idOf,
  linkOf,
  matchIds,
  outcomeOf,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

describe('search-type', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let patients: string[];
  let observations: string[];
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    patients = [];
    for (const [family, gender] of [
      ['Hazel', 'female'],
      ['Hazelnut', 'male'],
      ['Rowan', 'female'],
    ])
      patients.push(idOf(await fhir.post('Patient', { resourceType: 'Patient', name: [{ family }], gender })));
    observations = [];
    for (const [subject, code] of [
      [0, 'a'],
      [0, 'b'],
      [1, 'a'],
    ] as const)
      observations.push(
        idOf(
          await fhir.post('Observation', {
            resourceType: 'Observation',
            status: 'final',
            code: { coding: [{ system: 'urn:c', code }] },
            subject: { reference: `Patient/${patients[subject]}` },
          }),
        ),
      );
  });
  after(() => stopChecked(server));

  it('answers with a searchset: fullUrl, mode, self link of what was understood', async () => {
    const reply = await fhir.get('Patient?family=hazel&gender=female');
    expect(reply.status).equal(200);
    const bundle = bundleOf(reply);
    expect(bundle).include({ type: 'searchset', total: 1 });
    expect(bundle.entry?.[0]).include({ fullUrl: `${fhir.base}/Patient/${patients[0]}` });
    expect(bundle.entry?.[0]?.search).eql({ mode: 'match' });
    expect(linkOf(bundle, 'self')).equal(`${fhir.base}/Patient?family=hazel&gender=female`);
    expect(linkOf(bundle, 'next')).equal(undefined);
    expect(reply.text).contains((await fhir.get(`Patient/${patients[0]}`)).text);
  });

  it('nothing found: a bundle without entries, total 0', async () => {
    const bundle = bundleOf(await fhir.get('Patient?family=nobody'));
    expect(bundle).include({ total: 0 }).not.have.property('entry');
  });

  it('without parameters finds all, newest first', async () => {
    expect(matchIds(bundleOf(await fhir.get('Patient')))).eql([...patients].reverse());
    expect(matchIds(bundleOf(await fhir.get('Patient/')))).eql([...patients].reverse());
    expect(matchIds(bundleOf(await fhir.get('Patient?')))).eql([...patients].reverse());
  });

  it('HEAD', async () => {
    const head = await fhir.request('HEAD', 'Patient?family=hazel');
    expect(head.status).equal(200);
    expect(head.text).equal('');
  });

  it('_pretty, _format', async () => {
    const plain = await fhir.get('Patient?family=rowan');
    const pretty = await fhir.get('Patient?family=rowan&_pretty=true&_format=json');
    expect(pretty.text).contains('\n  "');
    expect(pretty.json<{ entry: object[] }>().entry).eql(plain.json<{ entry: object[] }>().entry);
    expect((await fhir.get('Patient?_format=ttl')).status).equal(406);
  });

  describe('POST _search', () => {
    it('takes parameters from the form, and from the URL as well', async () => {
      const reply = await fhir.post('Patient/_search?gender=female', 'family=hazel', FORM);
      expect(reply.status).equal(200);
      expect(matchIds(bundleOf(reply))).eql([patients[0]]);
      expect(matchIds(bundleOf(await fhir.post('Patient/_search', 'family=Hazel%4eut', FORM)))).eql([patients[1]]);
    });

    it('without a body finds all', async () => {
      const reply = await fhir.request('POST', 'Patient/_search');
      expect(matchIds(bundleOf(reply))).length(3);
    });

    it('the pages of it are links that GET follows', async () => {
      const first = bundleOf(await fhir.post('Patient/_search', '_count=2', FORM));
      const second = bundleOf(await fhir.get(linkOf(first, 'next') as string));
      expect([...matchIds(first), ...matchIds(second)]).eql([...patients].reverse());
    });

    it('415 for another content type, 400 for bad parameters', async () => {
      expect((await fhir.post('Patient/_search', '{"family":"x"}')).status).equal(415);
      expect((await fhir.post('Patient/_search', 'famly=x', FORM)).status).equal(400);
    });

    it('_format and _pretty in the form count', async () => {
      expect((await fhir.post('Patient/_search', 'family=rowan&_pretty=true', FORM)).text).contains('\n');
      expect((await fhir.post('Patient/_search', 'family=rowan&_format=ttl', FORM)).status).equal(406);
    });
  });

  describe('compartment', () => {
    it('finds what belongs to the patient', async () => {
      const bundle = bundleOf(await fhir.get(`Patient/${patients[0]}/Observation`));
      expect(matchIds(bundle)).eql([observations[1], observations[0]]);
      expect(linkOf(bundle, 'self')).equal(`${fhir.base}/Patient/${patients[0]}/Observation`);
    });

    it('with parameters, paged, and by POST', async () => {
      const path = `Patient/${patients[0]}/Observation`;
      expect(matchIds(bundleOf(await fhir.get(`${path}?code=urn:c|a`)))).eql([observations[0]]);
      expect(matchIds(bundleOf(await fhir.post(`${path}/_search`, 'code=b', FORM)))).eql([observations[1]]);
      const first = bundleOf(await fhir.get(`${path}?_count=1`));
      const second = bundleOf(await fhir.get(linkOf(first, 'next') as string));
      expect([...matchIds(first), ...matchIds(second)]).eql([observations[1], observations[0]]);
      expect(linkOf(second, 'next')).equal(undefined);
    });

    it('a page link does not work for another compartment', async () => {
      const first = bundleOf(await fhir.get(`Patient/${patients[0]}/Observation?_count=1`));
      const next = (linkOf(first, 'next') as string).replace(patients[0] as string, patients[1] as string);
      expect((await fhir.get(next)).status).equal(400);
    });

    it('the patient is a member of its own compartment', async () => {
      expect(matchIds(bundleOf(await fhir.get(`Patient/${patients[2]}/Patient`)))).eql([patients[2]]);
    });

    it('404 for a type that has no such compartment, for an unknown compartment', async () => {
      expect((await fhir.get(`Patient/${patients[0]}/Medication`)).status).equal(404);
      expect((await fhir.get(`Location/x/Observation`)).status).equal(404);
      expect((await fhir.get(`Patient/${patients[0]}/Nonsense`)).status).equal(404);
    });
  });

  describe('refusals', () => {
    for (const [query, part] of [
      ['famly=x', 'family'],
      ['family:exakt=x', ':exact'],
      ['birthdate=31.01.2000', '2013-01-14'],
      ['birthdate:in=x', ':in'],
      ['_count=many', '_count'],
      ['_sort=famly', 'family'],
      ['_include=Patient:organisation', 'organization'],
      ['_elements=nam', 'name'],
      ['_has:Observation:patient', '_has'],
      ['[IN-11] family[]=x'.slice(8), 'family'],
      ['family=', 'empty'],
    ] as const)
      it(`${query}: 400 with a hint`, async () => {
        const reply = await fhir.get(`Patient?${query}`);
        expect(reply.status).equal(400);
        expect(outcomeOf(reply).diagnostics).contains(part);
      });

    it('all that is wrong is told at once', async () => {
      const reply = await fhir.get('Patient?famly=x&brthdate=y&_count=z');
      expect(reply.json<{ issue: object[] }>().issue).length(3);
    });

    it('Prefer: handling=lenient leaves unknown parameters out and says so', async () => {
      const reply = await fhir.get('Patient?famly=x&family=rowan', { prefer: 'handling=lenient' });
      expect(reply.status).equal(200);
      const bundle = bundleOf(reply);
      expect(matchIds(bundle)).eql([patients[2]]);
      expect(linkOf(bundle, 'self')).equal(`${fhir.base}/Patient?family=rowan`);
      const outcome = bundle.entry?.find((e) => e.search?.mode === 'outcome');
      expect(JSON.stringify(outcome)).contains('famly');
    });

    it('handling=lenient does not excuse a wrong value', async () => {
      expect((await fhir.get('Patient?birthdate=x', { prefer: 'handling=lenient' })).status).equal(400);
    });

    for (const query of [
      'a[b]=1',
      'family[exact]=x',
      '_count=1&_count=2',
      'family=%00',
      'family=%c3%28',
      'family=%ed%a0%80',
    ])
      it(`[IN-11] [IN-12] ${query}: 400`, async () => {
        expect((await fhir.get(`Patient?${query}`)).status).equal(400);
      });
  });

  describe('[IN-35] text from outside is never SQL', () => {
    const attacks = ["'", "';select 1--", "' or '1'='1", '%', '_', '\\', '$1', '{}', "\\'", '%25', 'a"b', '🦊', '$.x'];
    for (const attack of attacks)
      it(attack, async () => {
        const text = encodeURIComponent(attack.replaceAll('\\', '\\\\').replaceAll('$', '\\$'));
        for (const query of [
          `family=${text}`,
          `family:exact=${text}`,
          `family:contains=${text}`,
          `gender=${text}`,
          `gender:not=${text}`,
          `identifier=${text}|${text}`,
          `identifier:of-type=${text}|${text}|${text}`,
          `gender:text=${text}`,
          `identifier:text=${text}`,
          `_profile:below=${text}`,
          `_profile:above=${text}`,
          `_sort=${text}`,
          `_elements=${text}`,
          `_include=${text}`,
          `organization:identifier=${text}`,
          `general-practitioner.name=${text}`,
          `_has:Observation:patient:code=${text}`,
          `${text}=1`,
          `_id=${text}`,
        ]) {
          const reply = await fhir.get(`Patient?${query}`);
          expect(reply.status, query).oneOf([200, 400]);
          if (reply.status === 200 && !query.includes(':not')) expect(matchIds(bundleOf(reply)).length, query).equal(0);
        }
      });
  });
});
