import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { mapToFhir } from '../../../src/mapping/script/map-message.ts';
import { getAt, type Json, objectsAt } from '../../../src/mapping/script/place.ts';
import type { TransactionBundle } from '../../../src/mapping/transaction-bundle.ts';
import { formatJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import {
  goldenUrl,
  MUTATIONS,
  mutate,
  publishedSamples,
  SAMPLES_NEEDED,
  scriptFixture,
  scriptFixtureNames,
} from '../../standards/script/samples.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { isChange } from './entries.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 0, 15, 17) };

function mapped(raw: Buffer) {
  const { message } = readScript(raw);
  if (!message) throw new Error('the message can be read');
  return mapToFhir(message, CONTEXT);
}
const bundleOf = (fixture: string): TransactionBundle => {
  const { value } = mapped(scriptFixture(fixture));
  if (!value) throw new Error(`${fixture} maps`);
  return value;
};
const only = (bundle: TransactionBundle, type: string): readonly Json[] =>
  bundle.entry.map(({ resource }) => resource as Json).filter(({ resourceType }) => resourceType === type);
const orderOf = (fixture: string): Json => only(bundleOf(fixture), 'MedicationRequest')[0] ?? {};
const changed = (from: string | RegExp, to: string): Buffer =>
  Buffer.from(scriptFixture('newrx-basic').toString().replace(from, to));

/** `UPDATE_GOLDEN=1` writes them anew; each change is explained in its commit. */
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

describe('mapping › script › NewRx to FHIR', () => {
  for (const fixture of [
    'newrx-basic',
    'newrx-compound',
    'newrx-structured-sig',
    'newrx-two-coverages',
    'newrx-peds-observation',
    'newrx-allergies-none',
    'newrx-cii-signed-indicator',
    'v106-newrx',
  ])
    it(`${fixture}: the golden Bundle`, () => {
      const text = `${formatJson(bundleOf(fixture), true)}\n`;
      if (UPDATE) writeFileSync(goldenUrl(fixture), text);
      expect(text).equal(readFileSync(goldenUrl(fixture), 'utf8'));
    });

  it('every resource of every fixture obeys R4', () => {
    const validate = createValidator(testDefinitions());
    for (const name of scriptFixtureNames().filter((one) => /newrx/.test(one)))
      for (const { resource } of bundleOf(name).entry.filter((entry) => !isChange(entry)))
        expect(validate(resource), `${name}: ${resource.resourceType}`).deep.equal([]);
  });

  it('every reference to a resource of the message is to an entry', () => {
    for (const name of scriptFixtureNames().filter((one) => /newrx/.test(one))) {
      const bundle = bundleOf(name);
      const urls = new Set(bundle.entry.map(({ fullUrl }) => fullUrl));
      for (const [text] of formatJson(bundle).matchAll(/(?<="reference":")urn:uuid:[^"]+/g))
        expect([...urls], name).include(text);
    }
  });

  it('the same message gives the same Bundle', () => {
    expect(bundleOf('newrx-basic')).deep.equal(bundleOf('newrx-basic'));
  });

  it('two senders that use the same numbers do not meet', () => {
    const other = mapped(changed('<From Qualifier="D">6301875277001', '<From Qualifier="D">6301875277999')).value;
    const urlOf = (bundle: TransactionBundle | undefined, type: string) =>
      bundle?.entry.find(({ resource }) => resource.resourceType === type)?.request.url;
    for (const type of ['Patient', 'MedicationRequest'])
      expect(urlOf(other, type)).not.equal(urlOf(bundleOf('newrx-basic'), type));
    for (const type of ['Practitioner', 'Organization'])
      expect(urlOf(other, type)).equal(urlOf(bundleOf('newrx-basic'), type));
  });

  for (const [fixture, path, expected] of [
    ['newrx-basic', 'dispenseRequest.quantity.value', 30],
    ['newrx-basic', 'dispenseRequest.numberOfRepeatsAllowed', 3],
    ['newrx-basic', 'substitution.allowedBoolean', true],
    ['newrx-cii-signed-indicator', 'dispenseRequest.numberOfRepeatsAllowed', 0],
    ['newrx-cii-signed-indicator', 'ext:script-dea-schedule.valueCoding.display', 'CII'],
    ['newrx-cii-signed-indicator', 'ext:script-epcs-signature.sub:indicator.valueBoolean', true],
    ['newrx-written-datetime', 'authoredOn', '2026-01-15T09:10:11Z'],
    ['newrx-structured-sig', 'dosageInstruction[0].timing.repeat.frequency', 2],
    ['newrx-structured-sig', 'dosageInstruction[0].text', 'Take 1 tablet by mouth twice daily with meals'],
    ['newrx-rems-checked', 'ext:script-rems-authorization.valueString', 'REMS-778812'],
    ['newrx-testmessage', 'meta.tag[0].code', 'HTEST'],
    ['newrx-xml-escapes', 'note[0].text', 'Take w/ food & water; BP <140/90 "goal"'],
    ['newrx-compound', 'contained[0].ingredient[1].itemCodeableConcept.text', 'Lipoderm cream base'],
    ['v106-newrx-prn', 'ext:script-refills-as-needed.valueBoolean', true],
    ['v106-newrx-prn', 'dispenseRequest.numberOfRepeatsAllowed', undefined],
  ] as const)
    it(`${fixture}: ${path} is ${expected}`, () => expect(getAt(orderOf(fixture), path)).equal(expected));

  it('coverages come in the order in which they pay', () => {
    const bundle = bundleOf('newrx-two-coverages');
    expect(only(bundle, 'Coverage').map(({ order }) => order)).deep.equal([1, 2]);
    expect(objectsAt(orderOf('newrx-two-coverages'), 'insurance').length).equal(2);
  });

  it('v2023-newrx gives what newrx-basic does', () => {
    const plain = (fixture: string): string => formatJson({ ...orderOf(fixture), extension: [] });
    expect(plain('v2023-newrx')).equal(plain('newrx-basic'));
  });

  for (const [text, expected] of [
    ['1.50', '1.50'],
    ['.5', '0.5'],
    ['0030', '30'],
    ['12345678.901', '12345678.901'],
  ] as const)
    it(`a quantity of ${text} keeps its digits`, () => {
      const bundle = mapped(changed('<Value>30', `<Value>${text}`)).value;
      expect(bundle && formatJson(bundle)).include(`"quantity":{"value":${expected},`);
    });

  it('a supervisor who is the prescriber is one entry', () => {
    const text = scriptFixture('newrx-supervisor').toString();
    const prescriber = /<Prescriber>(.*)<\/Prescriber>/.exec(text)?.[1] ?? '';
    const raw = text.replace(/<Supervisor>.*<\/Supervisor>/, `<Supervisor>${prescriber}</Supervisor>`);
    const bundle = mapped(Buffer.from(raw)).value;
    expect(bundle && only(bundle, 'Practitioner').length).equal(1);
    expect(bundle && only(bundle, 'PractitionerRole').length).equal(1);
  });

  it('what has no place is kept as residue and counted', () => {
    const { value, issues } = mapped(
      changed('</HumanPatient>', '<HospiceIndicator>Y</HospiceIndicator></HumanPatient>'),
    );
    const [order] = value ? only(value, 'MedicationRequest') : [];
    const [fragment] = objectsAt(order, 'ext:script-residue.extension');
    expect(fragment?.['extension']).deep.equal([
      { url: 'path', valueString: 'Message/Body/NewRx/Patient/HumanPatient/HospiceIndicator' },
      { url: 'xml', valueString: '<HospiceIndicator>Y</HospiceIndicator>' },
    ]);
    expect(issues.map(({ severity }) => severity)).deep.equal(['information']);
  });

  it('SocialSecurity and credentials are never kept, and the first is told', () => {
    const raw = changed(
      '<SenderSoftware>',
      '<Security><UsernameToken><Username>SECRET</Username></UsernameToken></Security><SenderSoftware>',
    )
      .toString()
      .replace('</Identification>', '<SocialSecurity>078051120</SocialSecurity></Identification>');
    const { value, issues } = mapped(Buffer.from(raw));
    expect(formatJson(value)).not.match(/SECRET|078051120/);
    expect(issues.map(({ expression }) => expression?.[0]?.split('/').at(-1))).deep.equal(['SocialSecurity']);
    expect(formatJson(issues)).not.include('078051120');
  });

  it('a transaction that has no model is not supported, and says so', () => {
    const raw = Buffer.from(scriptFixture('newrx-basic').toString().replaceAll('NewRx>', 'Census>'));
    const { value, issues } = mapped(raw);
    expect([value, issues.map(({ code, diagnostics }) => `${code} ${diagnostics}`)]).deep.equal([
      undefined,
      ['not-supported Census has no mapping to FHIR'],
    ]);
  });

  it(`${MUTATIONS} mutations never throw`, function () {
    this.timeout(120_000);
    const names = scriptFixtureNames().filter((name) => /newrx/.test(name));
    for (let seed = 0; seed < MUTATIONS; seed += 1) {
      const { message } = readScript(mutate(scriptFixture(names[seed % names.length] ?? ''), seed, 1));
      if (message) mapToFhir(message, CONTEXT);
    }
  });

  const samples = publishedSamples();
  if (samples === undefined) it(SAMPLES_NEEDED);
  else
    describe('published samples', () => {
      const validate = createValidator(testDefinitions());
      for (const { id, raw, structural, kind } of samples)
        it(`${id}: never throws, and a valid NewRx gives valid resources`, () => {
          const { message } = readScript(raw);
          if (!message) return;
          const { value, issues } = mapToFhir(message, CONTEXT);
          for (const { resource } of (value?.entry ?? []).filter((entry) => !isChange(entry)))
            expect(validate(resource), resource.resourceType).deep.equal([]);
          if (structural === 'valid' && kind === 'NewRx') expect(issues.filter(isError)).deep.equal([]);
          expect(value !== undefined || issues.some(isError)).equal(true);
        });
    });
});
